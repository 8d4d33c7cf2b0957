"""Where an interrupted upload goes on: one small file for each upload under way.

It is written before the server is asked for anything, so that whenever this process dies, the next one finds the same
video. It holds no secret: who may go on is the server's to say. What has arrived is asked of the server, which alone knows.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from pydantic import BaseModel, Field, ValidationError

from clipstream.client.files import LocalFile

KEPT_S = 7 * 24 * 3600  # the server gives up silent uploads after a day


class Bookmark(BaseModel):
    """An upload under way. The video is asked for with `key`, and asked with the same key it is the same video."""

    server: str
    stream_id: UUID
    path: str
    key: str = Field(default_factory=lambda: str(uuid4()))
    video_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Bookmarks:
    """A directory of them."""

    directory: Path

    def find(self, server: str, stream_id: UUID, file: LocalFile) -> Bookmark | None:
        """The one of this very file, as it is now, on its way into that stream."""
        with contextlib.suppress(OSError, ValidationError):
            return Bookmark.model_validate_json(self._place(server, stream_id, file).read_bytes())
        return None

    def keep(self, mark: Bookmark, file: LocalFile) -> None:
        """Written whole or not at all."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._forget_old()
        target = self._place(mark.server, mark.stream_id, file)
        handle, unfinished = tempfile.mkstemp(dir=self.directory, prefix=".")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                out.write(mark.model_dump_json())
                out.flush()
                os.fsync(out.fileno())
            Path(unfinished).replace(target)
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise

    def drop(self, mark: Bookmark, file: LocalFile) -> None:
        self._place(mark.server, mark.stream_id, file).unlink(missing_ok=True)

    def _place(self, server: str, stream_id: UUID, file: LocalFile) -> Path:
        told = "\0".join((server, str(stream_id), str(file.path), str(file.size), str(file.mtime_ns)))
        name = hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        return self.directory / f"{name}.json"

    def _forget_old(self) -> None:
        for old in self._older_than(time.time() - KEPT_S):
            old.unlink(missing_ok=True)

    def _older_than(self, moment: float) -> Iterator[Path]:
        for path in self.directory.iterdir():
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < moment:
                    yield path
