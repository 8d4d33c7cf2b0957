"""Signed downloads: an address that lets whoever has it read one object for a while, and nothing else."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlencode

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.store.proxy.wire import media_path

EXPIRES, SIGNATURE = "expires", "signature"
_LONGEST_EXPIRY = 12  # digits


class DownloadSigner:
    """Signs and verifies with the secret that the media proxy and its clients share."""

    def __init__(self, secret: str, base_url: str = "") -> None:
        self._key = hashlib.sha256(b"clipstream media proxy download\0" + secret.encode()).digest()
        self._url = base_url.rstrip("/")

    def sign(self, key: ObjectKey, expires_in: timedelta) -> str:
        expires_at = str(int(time.time() + expires_in.total_seconds()))
        query = urlencode({EXPIRES: expires_at, SIGNATURE: self._signature(key, expires_at)})
        return f"{self._url}{media_path(key)}?{query}"

    def good(self, key: str, query: Mapping[str, str]) -> bool:
        """Whether `query` is one that was made for `key`, and still holds."""
        expires_at = query.get(EXPIRES, "")
        signature = self._signature(key, expires_at).encode()
        if not hmac.compare_digest(signature, query.get(SIGNATURE, "").encode(errors="replace")):
            return False
        return len(expires_at) <= _LONGEST_EXPIRY and int(expires_at) >= time.time()

    def _signature(self, key: str, expires_at: str) -> str:
        text = f"{expires_at}\n{key}".encode(errors="replace")
        return hmac.digest(self._key, text, "sha256").hex()
