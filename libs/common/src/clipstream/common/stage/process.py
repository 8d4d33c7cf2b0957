"""The processes that caged children are: started, kept ready for a call that shall not wait, and ended.

A child that waits has imported the module it will be asked for, and nothing else has happened to it: it shuts itself in
when its job comes, and is never used for a second one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from clipstream.common.stage.call import module_of, source_root

_KEPT_OUTPUT = 16 << 10
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "PYDANTIC_DISABLE_PLUGINS": "__all__",  # looking for some among all packages takes 15 ms of every child
}
"""All that a child learns from its surroundings: no secret, and one thread for arithmetic libraries."""


@dataclass
class Child:
    """A running child: its process, our end of the channel, and the end of what it printed."""

    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    output: bytearray = field(default_factory=bytearray)
    listening: asyncio.Task[None] | None = None

    @property
    def gone(self) -> bool:
        """Whether the process has ended, which the event loop may not have heard of yet."""
        try:
            return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    async def end(self) -> None:
        """It and everything it might have started is dead and reaped."""
        self.writer.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        await asyncio.shield(self.process.wait())
        if self.listening:
            self.listening.cancel()


async def start(*ahead: str) -> Child:
    """A child that waits for its job. `ahead`: where a module's source lies, and its name, to import meanwhile."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-X", "faulthandler", "-m", "clipstream.common.stage.child"),
                *(str(theirs.fileno()), str(os.getpid()), *ahead),
                pass_fds=(theirs.fileno(),),
                cwd="/",
                env=_ENVIRONMENT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
            )
        except BaseException:
            ours.close()
            raise
    reader, writer = await asyncio.open_connection(sock=ours)
    child = Child(process, reader, writer)
    child.listening = asyncio.create_task(_keep_output(child))
    return child


class Spares:
    """One waiting child for each of the modules of `targets`. A spare that died meanwhile is replaced by a fresh one."""

    def __init__(self, targets: Iterable[Callable[..., Any]] = ()) -> None:
        self._roots = {module_of(target): source_root(module_of(target)) for target in targets}
        self._waiting: dict[str, asyncio.Task[Child]] = {}

    async def __aenter__(self) -> Spares:
        for module in self._roots:
            self._refill(module)
        return self

    async def __aexit__(self, *error: object) -> None:
        waiting, self._waiting, self._roots = self._waiting, {}, {}
        for task in waiting.values():
            with contextlib.suppress(OSError):
                await (await task).end()

    @contextlib.asynccontextmanager
    async def child(self, module: str) -> AsyncIterator[Child]:
        """A child for one job in `module`; on leaving it is ended, and the next spare is started."""
        child = await self._taken(module) or await start()
        try:
            yield child
        finally:
            await child.end()
            self._refill(module)

    async def _taken(self, module: str) -> Child | None:
        task = self._waiting.pop(module, None)
        if task is None:
            return None
        try:
            child = await task
        except OSError:
            return None
        if not child.gone:
            return child
        await child.end()
        return None

    def _refill(self, module: str) -> None:
        if module in self._roots and module not in self._waiting:
            self._waiting[module] = asyncio.create_task(start(self._roots[module], module), name=f"spare {module}")


async def _keep_output(child: Child) -> None:
    """Drain what the child prints, so that it never blocks on us, and keep the end of it."""
    stream = child.process.stdout
    while stream and (chunk := await stream.read(_KEPT_OUTPUT)):
        child.output += chunk
        del child.output[:-_KEPT_OUTPUT]
