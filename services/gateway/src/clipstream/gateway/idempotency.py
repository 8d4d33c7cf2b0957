"""A creating request that is sent twice with the same Idempotency-Key is carried out once (after
draft-ietf-httpapi-idempotency-key-header): the second one gets the first one's answer.

An answer is kept for a day, encrypted: it may hold signed addresses and codes. A request that was refused leaves nothing
behind, so it may be mended and sent again. If the process dies between the effect and keeping its answer, the key is taken
over a minute later and the request runs again.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

from aiohttp import hdrs, web
from asyncpg import Pool
from cryptography.fernet import Fernet, InvalidToken

from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import idempotency
from clipstream.gateway.repository.idempotency import Kept, Use
from clipstream.gateway.signing import derive_key

HEADER = "Idempotency-Key"
KEPT_FOR = timedelta(hours=24)
_KEY = re.compile(r"^[!-~]{1,255}$")


def fingerprint(request: web.Request, body: bytes | None) -> bytes:
    """What makes two requests the same. A form is too long to be read for it: its length stands for it."""
    content = b"%d" % (request.content_length or 0) if body is None else body
    return hashlib.sha256(b"\0".join((request.method.encode(), request.rel_url.raw_path.encode(), content))).digest()


def key_of(request: web.Request) -> str | None:
    given = request.headers.get(HEADER)
    if given is None:
        return None
    if not _KEY.match(given):
        raise Problem(400, "Invalid request", [f"{HEADER} must be 1 to 255 printable characters without spaces"])
    return given


class Answers:
    """The answers that were given, by user, route and key."""

    def __init__(self, pool: Pool, secret: str) -> None:
        self._pool = pool
        self._cipher = Fernet(base64.urlsafe_b64encode(derive_key(secret, "kept answer")))

    async def once(
        self, use: Use, request: bytes, run: Callable[[], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """`run`'s answer, or the one it gave the first time."""
        if not await idempotency.claim(self._pool, use, request):
            return self._replay(await idempotency.find(self._pool, use), request)
        try:
            response = await run()
        except BaseException:
            await asyncio.shield(idempotency.release(self._pool, use))
            raise
        await asyncio.shield(self._keep(use, response))
        return response

    async def _keep(self, use: Use, response: web.StreamResponse) -> None:
        body = response.body if isinstance(response, web.Response) and isinstance(response.body, bytes) else b""
        await idempotency.keep(
            self._pool,
            use,
            status=response.status,
            answer=self._cipher.encrypt(response.headers.get(hdrs.LOCATION, "").encode() + b"\n" + body),
        )

    def _replay(self, kept: Kept | None, request: bytes) -> web.Response:
        status, answer = _judge(kept, request)
        try:
            location, _, body = self._cipher.decrypt(answer).partition(b"\n")
        except InvalidToken as error:  # kept under another SECRET_KEY
            raise Problem(422, "Idempotency key already used", ["its answer can no longer be read"]) from error
        headers = {"Idempotency-Replayed": "true", hdrs.CACHE_CONTROL: "private, no-cache"}
        if location:
            headers[hdrs.LOCATION] = location.decode()
        return web.Response(status=status, body=body, headers=headers, content_type="application/json")


def _judge(kept: Kept | None, request: bytes) -> tuple[int, bytes]:
    if kept is not None and kept.request != request:
        raise Problem(422, "Idempotency key already used", [f"this {HEADER} belongs to another request"])
    if kept is None or kept.status is None or kept.answer is None:
        raise Problem(409, "Request still running", headers={hdrs.RETRY_AFTER: "1"})
    return kept.status, kept.answer
