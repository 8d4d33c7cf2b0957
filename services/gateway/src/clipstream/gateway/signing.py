"""Keys for each purpose, made from the one secret, and the tokens that media paths carry.

A media token stands in the path, so that the relative addresses in playlists inherit it. It names one video, who holds
it and until when, and reveals no more than their ids. Whether its holder may still see the video is asked every few
seconds while it is used (watching.py). It opens nothing else, and it never enters a log.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
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


HolderKind = Literal["user", "key", "share"]
_LETTERS: dict[HolderKind, str] = {"user": "u", "key": "k", "share": "s"}
_KINDS: dict[str, HolderKind] = {letter: kind for kind, letter in _LETTERS.items()}
_TOKEN = re.compile(r"([uks])([0-9a-f]{32})\.([0-9a-f]{1,10})\.[A-Za-z0-9_-]{24}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Holder:
    """On whose account a media address is good: a user, an API key of theirs, or whoever came by a share."""

    kind: HolderKind
    id: UUID


class MediaSigner:
    """Makes and reads the token in `/media/{token}/{video_id}/...`."""

    def __init__(self, secret: str, life: timedelta) -> None:
        self._key = derive_key(secret, "media path")
        self._life_s = max(int(life.total_seconds()), 2)

    def token(
        self,
        video_id: UUID,
        *,
        user: UUID | None = None,
        key: UUID | None = None,
        share: UUID | None = None,
        now: float | None = None,
    ) -> str:
        """For a share, an API key or a user; where a key is named, it stands for its user. Good for between half the
        life and the whole of it: within one half a holder gets the same address, so that caches work."""
        half = self._life_s // 2
        expires = (int(time.time() if now is None else now) // half + 2) * half
        holder = _holder(user=user, key=key, share=share)
        text = f"{_LETTERS[holder.kind]}{holder.id.hex}.{expires:x}"
        return f"{text}.{self._mac(text, video_id)}"

    def holder(self, token: str, video_id: UUID, now: float | None = None) -> Holder | None:
        """Who holds it; None where it is not ours, not for this video, or too old."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        text, _, mac = token.rpartition(".")
        if not hmac.compare_digest(mac, self._mac(text, video_id)):
            return None
        if int(match[3], 16) <= (time.time() if now is None else now):
            return None
        return Holder(_KINDS[match[1]], UUID(hex=match[2]))

    def _mac(self, text: str, video_id: UUID) -> str:
        mac = hmac.digest(self._key, f"{text}\0{video_id}".encode(), hashlib.sha256)[:MAC_BYTES]
        return base64.urlsafe_b64encode(mac).decode()


def _holder(*, user: UUID | None, key: UUID | None, share: UUID | None) -> Holder:
    if share is not None:
        return Holder("share", share)
    if key is not None:
        return Holder("key", key)
    if user is not None:
        return Holder("user", user)
    raise ValueError("a media token needs a holder: a user, a key or a share")
