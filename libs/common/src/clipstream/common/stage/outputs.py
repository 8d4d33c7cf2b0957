"""Files that a caged child says are complete, handed on while it goes on making others: a few at a time, so that neither
the disk nor the store is ever far behind."""

from __future__ import annotations

import asyncio
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from clipstream.common.errors import Transient

AT_ONCE = 4
"""Files on their way. A child that has made more waits until one has arrived."""

Take = Callable[[Path], Awaitable[None]]


class Outputs:
    """Takes files out of a child's reach before anyone looks into them: a name in its own directory could be swapped for
    a link to somewhere else while we read."""

    def __init__(self, scratch: Path, out_of_reach: Path, take: Take | None, group: asyncio.TaskGroup) -> None:
        self._scratch, self._out_of_reach = scratch, out_of_reach
        self._take, self._group = take, group
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._underway: set[str] = set()

    async def put(self, payload: bytes) -> None:
        """Hand on the file that the child named; returns as soon as there is room for it. `Transient` where the name is
        none that an honest child says."""
        name = payload.decode(errors="replace")
        if self._take is None or Path(name).name != name or name in ("", ".", "..") or "\0" in name:
            raise Transient("the decoder named a file that is not its own")
        await self._turns.acquire()
        ours = self._out_of_reach / name
        if name in self._underway:  # else what is being stored would not be what was looked into
            raise Transient("the decoder named a file twice")
        try:
            (self._scratch / name).rename(ours)
            regular = stat.S_ISREG(ours.lstat().st_mode)
        except OSError as error:
            raise Transient("the decoder named a file that is not there") from error
        if not regular:
            raise Transient("the decoder named something that is not a file")
        self._underway.add(name)
        self._group.create_task(self._deliver(self._take, ours))

    async def _deliver(self, take: Take, file: Path) -> None:
        try:
            await take(file)
        finally:
            await asyncio.to_thread(file.unlink, missing_ok=True)
            self._underway.discard(file.name)
            self._turns.release()


@asynccontextmanager
async def outputs(scratch: Path, take: Take | None) -> AsyncIterator[Outputs]:
    """Everything put has been taken when the block ends. The first error, of the block or of `take`, ends all of it."""
    out_of_reach = Path(tempfile.mkdtemp(prefix=f"{scratch.name}-made-", dir=scratch.parent))
    try:
        async with asyncio.TaskGroup() as group:
            yield Outputs(scratch, out_of_reach, take, group)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    finally:
        shutil.rmtree(out_of_reach, ignore_errors=True)
