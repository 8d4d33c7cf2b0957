"""Who reads live events here, and whether they still may.

Access can end while a stream is open: a member is removed, a key revoked, a login ended, a stream deleted. One question to
the database every three seconds covers every open stream of this process, whatever is written to them meanwhile. While the
database is away nothing but progress is told, and streams are kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from aiohttp import web
from asyncpg import Pool

from clipstream.common.db.errors import map_database_errors
from clipstream.common.errors import Transient
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import live

CHECK_S = 3.0
PER_USER = 20

log = structlog.get_logger(__name__)


def _pending() -> asyncio.Future[str]:
    return asyncio.get_running_loop().create_future()


@dataclass(eq=False, slots=True)
class Reader:
    """One open stream: who reads what, and, once they may no longer, why not."""

    request: web.Request
    user_id: UUID
    key_id: UUID | None
    login_id: UUID | None
    stream_id: UUID | None = None
    video_id: UUID | None = None
    refused: asyncio.Future[str] = field(default_factory=_pending)

    @property
    def connected(self) -> bool:
        return self.request.transport is not None and not self.request.transport.is_closing()

    def refuse(self, reason: str) -> None:
        if not self.refused.done():
            self.refused.set_result(reason)


class Readers:
    """The open streams of this process."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._readers: set[Reader] = set()
        self._wake = asyncio.Event()

    @contextmanager
    def admit(self, reader: Reader) -> Iterator[None]:
        """429 where the user has too many open already; those whose client has gone do not count."""
        theirs = [other for other in self._readers if other.user_id == reader.user_id and other.connected]
        if len(theirs) >= PER_USER:
            raise Problem(429, "Too many open streams", [f"at most {PER_USER} at a time"], headers={"Retry-After": "5"})
        self._readers.add(reader)
        try:
            yield
        finally:
            self._readers.discard(reader)

    def look_again(self) -> None:
        """Somebody may have lost access just now: ask at once instead of within seconds."""
        self._wake.set()

    async def run(self) -> None:
        """End, for as long as the process lives, the streams of those who may no longer read them."""
        while True:
            try:
                async with asyncio.timeout(CHECK_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self.check()
            except Transient as error:
                log.warning("readers_not_checked", reason=str(error))

    async def check(self) -> None:
        readers = list(self._readers)
        if not readers:
            return
        with map_database_errors():
            lost = await live.lost(
                self._pool,
                [reader.user_id for reader in readers],
                [reader.key_id for reader in readers],
                [reader.login_id for reader in readers],
                [reader.stream_id for reader in readers],
                [reader.video_id for reader in readers],
            )
        for place, what in lost.items():
            readers[place].refuse(_reason(readers[place], what))
        for reader in readers:
            if not reader.connected:
                reader.refuse("The client has gone.")


def _reason(reader: Reader, lost: str) -> str:
    """In the words of the refusal that a new request would get."""
    if lost == "token":
        return "Invalid or expired token"
    if lost == "topic":
        return "Stream not found" if reader.video_id is None else "Video not found"
    return "Access denied"
