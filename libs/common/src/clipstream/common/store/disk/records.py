"""What S3 keeps beside an object's bytes, kept in a small JSON file in a tree parallel to the objects'.

A record names the file it describes by size and modification time (which survive a backup and its return), and the file
of records holds the object's newest two: the one being written and the one still in place. So the single rename or link
of the data is what publishes an object, whatever moment the process dies at.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.store.objects import ObjectInfo


@dataclass(frozen=True, slots=True)
class Record:
    """One version of one object."""

    size_bytes: int
    mtime_ns: int
    sha256: str
    content_type: str
    metadata: dict[str, str]
    upload: str | None = None  # which upload in parts it was made by

    @property
    def etag(self) -> str:
        return self.sha256[:32]

    def describes(self, stat: os.stat_result) -> bool:
        return (self.size_bytes, self.mtime_ns) == (stat.st_size, stat.st_mtime_ns)

    def info(self, key: ObjectKey) -> ObjectInfo:
        modified = datetime.fromtimestamp(self.mtime_ns / 1e9, UTC)
        return ObjectInfo(key, self.size_bytes, self.etag, modified, self.content_type, self.sha256, self.metadata)


def read_records(path: Path) -> list[Record]:
    """The records in the file; none where it is missing or damaged: they are made again from the object."""
    try:
        return [Record(**entry) for entry in json.loads(path.read_bytes())]
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return []


def write_records(path: Path, draft: Path, records: list[Record]) -> None:
    """Replace the file in one step, safe against a power cut. `draft` is a name of the caller's own on the same disk."""
    try:
        with draft.open("xb") as file:
            file.write(json.dumps([asdict(record) for record in records], ensure_ascii=False).encode())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def record_of_foreign(name: str, file: BufferedReader) -> Record:
    """The record of a file that somebody else put into the tree: its checksum is read from it."""
    stat = os.fstat(file.fileno())
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Record(stat.st_size, stat.st_mtime_ns, digest, content_type, {})
