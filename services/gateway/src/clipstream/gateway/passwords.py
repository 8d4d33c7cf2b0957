"""Passwords, kept as scrypt hashes: `scrypt$<log2 N>$<r>$<p>$<salt>$<hash>`, both in base64.

Hashing takes 32 MiB and a quarter of a second on purpose, so it runs in a thread, and no more than two at once. Whoever
would have to wait for long is sent away, so that nobody keeps all others waiting.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import unicodedata

from clipstream.gateway.problems import unavailable

# One of the equal choices of https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#scrypt
LOG_N, R, P = 15, 8, 3
SALT_BYTES = 16
AT_ONCE = 2
MOST_WAITING = 32  # some seconds


class Passwords:
    """Hashes and verifies, bounded in memory and time; 503 where too many others do."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._here = 0

    async def hash(self, password: str) -> str:
        """What to keep of a password."""
        salt = secrets.token_bytes(SALT_BYTES)
        made = await self._scrypt(password, salt, LOG_N, R, P)
        return f"scrypt${LOG_N}${R}${P}${_text(salt)}${_text(made)}"

    async def verify(self, password: str, kept: str) -> bool:
        """Whether it is the password of which `kept` was made."""
        _, log_n, r, p, salt, known = kept.split("$")
        made = await self._scrypt(password, base64.b64decode(salt), int(log_n), int(r), int(p))
        return hmac.compare_digest(made, base64.b64decode(known))

    async def _scrypt(self, password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
        raw = unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
        n = 1 << log_n
        if self._here >= AT_ONCE + MOST_WAITING:
            raise unavailable()
        self._here += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(
                    hashlib.scrypt, raw, salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=32
                )
        finally:
            self._here -= 1


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
