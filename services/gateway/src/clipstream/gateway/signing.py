"""Keys for each purpose, made from the one secret, and the tokens that media paths carry.

A media token stands in the path, so that the relative addresses in playlists inherit it: whoever may play one clip gets
an address for that clip alone, for some hours. It opens nothing else, and it never enters a log.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from datetime import timedelta
from uuid import UUID

MAC_BYTES = 18  # 144 bits: more than can be guessed, and 24 characters of base64 without padding


def derive_key(secret: str, purpose: str) -> bytes:
    """A key of its own for each purpose, so that what is signed for one can never pass for another."""
    return hmac.digest(secret.encode(), f"clipstream {purpose}".encode(), hashlib.sha256)


def make_code(secret: str, purpose: str, row_id: UUID) -> str:
    """The code of an invite or a share: 144 bits in 24 URL-safe characters. It follows from the row's id and the secret,
    so that those who may see it can be shown it again, and the database holds no more than its hash."""
    mac = hmac.digest(derive_key(secret, purpose), row_id.bytes, hashlib.sha256)[:MAC_BYTES]
    return base64.urlsafe_b64encode(mac).decode()


class MediaSigner:
    """Makes and checks the token in `/media/{token}/{video_id}/...`."""

    def __init__(self, secret: str, life: timedelta) -> None:
        self._key = derive_key(secret, "media path")
        self._life_s = max(int(life.total_seconds()), 2)

    def token(self, video_id: UUID, now: float | None = None) -> str:
        """Good for between half the life and the whole of it: within one half all callers get the same address, so
        that caches work."""
        half = self._life_s // 2
        expires = (int(time.time() if now is None else now) // half + 2) * half
        return f"{expires:x}.{self._mac(video_id, expires)}"

    def good(self, token: str, video_id: UUID, now: float | None = None) -> bool:
        expires_text, _, mac = token.partition(".")
        try:
            expires = int(expires_text, 16)
            given = base64.urlsafe_b64decode(mac.encode("ascii"))
        except (ValueError, UnicodeError, binascii.Error):
            return False
        known = base64.urlsafe_b64decode(self._mac(video_id, expires))
        return hmac.compare_digest(given, known) and expires > (time.time() if now is None else now)

    def _mac(self, video_id: UUID, expires: int) -> str:
        mac = hmac.digest(self._key, f"{video_id}\0{expires}".encode(), hashlib.sha256)[:MAC_BYTES]
        return base64.urlsafe_b64encode(mac).decode()
