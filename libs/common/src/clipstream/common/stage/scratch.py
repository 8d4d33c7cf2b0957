"""Private directories for attempts, on one local disk shared by several processes."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import structlog

log = structlog.get_logger()

_LOCK = ".held"


class Scratch:
    """A process's own corner of the scratch directory. A lock in it dies with the process, however that ends, so that the
    next one can tell what was left behind and remove it; process ids say nothing across containers."""

    def __init__(self, home: Path, lock: int) -> None:
        self.home = home
        self._lock = lock

    @classmethod
    def open(cls, parent: Path | None, service: str) -> Self:
        """Make the corner, and remove those of processes that are gone."""
        root = parent if parent is not None else Path(tempfile.gettempdir()) / f"clipstream-{os.getuid()}"
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for old in root.glob(f"{service}-*"):
            _remove_if_left(old)
        home = Path(tempfile.mkdtemp(prefix=f"{service}-", dir=root))
        lock = os.open(home / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        return cls(home, lock)

    @asynccontextmanager
    async def directory(self, name: str) -> AsyncIterator[Path]:
        """An empty directory, gone with everything in it when the block ends, however it ends."""
        made = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.home))
        try:
            yield made
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, made, ignore_errors=True))

    def close(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        os.close(self._lock)


def _remove_if_left(home: Path) -> None:
    try:
        lock = os.open(home / _LOCK, os.O_RDWR)
    except FileNotFoundError:  # just being made, or just being removed
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(home, ignore_errors=True)
        log.info("scratch_removed", path=str(home))
    except BlockingIOError:
        pass
    finally:
        os.close(lock)
