"""The file that is sent: read and hashed piece by piece in threads, never more than a piece of it in memory, and looked at
again before each piece, whether it still is the same file."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from clipstream.client.errors import FileChanged

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file as it was when its upload began. `mtime_ns`: when it was last written."""

    path: Path
    size: int
    mtime_ns: int

    @classmethod
    async def look(cls, path: Path) -> LocalFile:
        """Raises `OSError` where there is no file to read."""
        return await asyncio.to_thread(cls._look, path)

    @classmethod
    def _look(cls, path: Path) -> LocalFile:
        with path.open("rb"):  # refused now rather than after the server was told of it
            found = path.stat()
        return cls(path.resolve(), found.st_size, found.st_mtime_ns)

    async def require_unchanged(self) -> None:
        now = await asyncio.to_thread(self.path.stat)
        if (now.st_size, now.st_mtime_ns) != (self.size, self.mtime_ns):
            raise FileChanged(f"{self.path.name} has changed since its upload began. Send it again.")

    async def sha256(self, offset: int = 0, length: int | None = None) -> str:
        """Of `length` bytes from `offset` on, or of all."""
        return await asyncio.to_thread(self._sha256, offset, self.size if length is None else length)

    def _sha256(self, offset: int, length: int) -> str:
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            file.seek(offset)
            while length and (chunk := file.read(min(CHUNK, length))):
                digest.update(chunk)
                length -= len(chunk)
        return digest.hexdigest()

    async def chunks(self, offset: int, length: int) -> AsyncIterator[bytes]:
        """The same bytes, to be sent."""
        file = await asyncio.to_thread(self.path.open, "rb")
        try:
            await asyncio.to_thread(file.seek, offset)
            while length and (chunk := await asyncio.to_thread(file.read, min(CHUNK, length))):
                length -= len(chunk)
                yield chunk
        finally:
            file.close()
