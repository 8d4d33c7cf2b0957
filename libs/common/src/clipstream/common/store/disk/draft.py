"""An object while it arrives."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from clipstream.common.store.disk.records import Record


class Draft:
    """A file with its checksum, until it is published or left. Leaving the `with` block removes what was not published."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("xb", buffering=0)
        self._digest = hashlib.sha256()

    def write(self, block: bytes) -> None:
        view = memoryview(block)
        while view:
            view = view[self._file.write(view) :]
        self._digest.update(block)

    def seal(self, content_type: str, metadata: dict[str, str]) -> Record:
        """Put the bytes safely on the disk. The time is set by us, so that no two versions of a key share it."""
        os.utime(self._file.fileno(), ns=(now := time.time_ns(), now))
        os.fsync(self._file.fileno())
        stat = os.fstat(self._file.fileno())
        return Record(stat.st_size, stat.st_mtime_ns, self._digest.hexdigest(), content_type, metadata)

    def close(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
