"""Shares: a code that opens one clip to whoever has it, until it expires or is revoked; with a password where one is set.

Who has given the password keeps a proof of it for an hour: a signature over the share and the time, good for nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from datetime import datetime
from uuid import UUID, uuid4

from asyncpg import ForeignKeyViolationError, Pool

from clipstream.gateway.auth import hash_token
from clipstream.gateway.passwords import Passwords
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import shares
from clipstream.gateway.repository.shares import Share
from clipstream.gateway.signing import MAC_BYTES, derive_key, make_code

UNLOCKED_FOR_S = 3600
_PROOF = re.compile(r"([0-9a-f]{1,10})\.[A-Za-z0-9_-]{24}", re.ASCII)


class Sharing:
    """Makes, finds and unlocks shares."""

    def __init__(self, pool: Pool, secret: str) -> None:
        self._pool = pool
        self._secret = secret
        self._key = derive_key(secret, "share unlocked")
        self._passwords = Passwords()

    def code(self, share_id: UUID) -> str:
        return make_code(self._secret, "share", share_id)

    async def create(
        self,
        *,
        video_id: UUID,
        created_by: UUID,
        expires_at: datetime | None,
        password: str | None,
        start_time: float,
    ) -> Share:
        """A new share of a video; 404 where the video is gone by now."""
        share_id = uuid4()
        kept = None if password is None else await self._passwords.hash(password)
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                return await shares.add(
                    connection,
                    share_id,
                    video_id=video_id,
                    hashed=hash_token(self.code(share_id)),
                    created_by=created_by,
                    expires_at=expires_at,
                    password=kept,
                    start_time=start_time,
                )
        except ForeignKeyViolationError as error:
            raise Problem(404, "Video not found") from error

    async def find(self, code: str) -> Share | None:
        """The share that a code opens now."""
        return await shares.by_hash(self._pool, hash_token(code))

    async def revoke(self, code: str, user_id: UUID) -> bool:
        async with self._pool.acquire() as connection, connection.transaction():
            return await shares.revoke(connection, hash_token(code), user_id)

    async def fits(self, share: Share, password: str) -> bool:
        """Whether it is the share's password; any is where it has none."""
        return share.password is None or await self._passwords.verify(password, share.password)

    def proof(self, share: Share, now: float | None = None) -> str:
        """Says that the password was given."""
        expires = int(time.time() if now is None else now) + UNLOCKED_FOR_S
        return f"{expires:x}.{self._mac(share.id, expires)}"

    def locked(self, share: Share, proof: str, now: float | None = None) -> bool:
        """Whether the password has yet to be given."""
        if share.password is None:
            return False
        match = _PROOF.fullmatch(proof)
        if match is None:
            return True
        expires = int(match[1], 16)
        signed = hmac.compare_digest(proof, f"{expires:x}.{self._mac(share.id, expires)}")
        return not signed or expires <= (time.time() if now is None else now)

    def _mac(self, share_id: UUID, expires: int) -> str:
        mac = hmac.digest(self._key, f"{share_id}\0{expires}".encode(), hashlib.sha256)[:MAC_BYTES]
        return base64.urlsafe_b64encode(mac).decode()
