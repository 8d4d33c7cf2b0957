"""An object while it arrives."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from clipstream.common.store.disk.records import Record

_BLOCK = 1 << 20
_NO_SUCH_COPY = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF)


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

    def append(self, path: Path) -> None:
        """Add another file's bytes. The file system shares or moves them itself where it can."""
        with path.open("rb", buffering=0) as source:
            shared = _shared(source.fileno(), self._file.fileno())
            source.seek(0)
            while block := source.read(_BLOCK):
                if shared:
                    self._digest.update(block)
                else:
                    self.write(block)

    def seal(self, content_type: str, metadata: dict[str, str], upload: str | None = None) -> Record:
        """Put the bytes safely on the disk. The time is set by us, so that no two versions of a key share it."""
        os.utime(self._file.fileno(), ns=(now := time.time_ns(), now))
        os.fsync(self._file.fileno())
        stat = os.fstat(self._file.fileno())
        return Record(stat.st_size, stat.st_mtime_ns, self._digest.hexdigest(), content_type, metadata, upload)

    def close(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _shared(source: int, target: int) -> bool:
    """Let the system copy all of a file; False where it cannot, and nothing was copied."""
    size = left = os.fstat(source).st_size
    try:
        while left and (copied := os.copy_file_range(source, target, left)):
            left -= copied
    except OSError as error:
        if left < size or error.errno not in _NO_SUCH_COPY:
            raise
    if 0 < left < size:
        raise OSError(errno.EIO, "the part was copied only in part")
    return left == 0
