"""Uploads in parts, on a directory of this machine: every part is a file of its own until they become one object.

parts/<id>/upload.json              what will become of them: key, type, metadata
parts/<id>/<number>-<sha256>        a part that has arrived whole and lies safely on the disk
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Conflict, NotFound, Rejected
from clipstream.common.store.disk.draft import Draft
from clipstream.common.store.disk.records import Record
from clipstream.common.store.disk.tree import ObjectTree, sync_directory
from clipstream.common.store.names import check_key, encode_metadata
from clipstream.common.store.objects import ObjectInfo, Part

_ABOUT = "upload.json"
_ID = re.compile(r"^[0-9a-f]{32}$")
_PART = re.compile(r"^(?P<number>[0-9]{5})-(?P<sha256>[0-9a-f]{64})$")
_STALE_S = 30 * 24 * 3600  # whoever opened an upload ends it long before; this is for what nobody remembers


@dataclass(frozen=True, slots=True)
class _About:
    key: ObjectKey
    content_type: str
    metadata: dict[str, str]


class PartTree:
    """Synchronous, as the object tree is. Parts may arrive from several processes at once."""

    def __init__(self, objects: ObjectTree) -> None:
        self._objects = objects
        self._root = objects.root / "parts"
        self._root.mkdir(exist_ok=True)
        self._sweep()

    def open(self, key: ObjectKey, content_type: str, metadata: dict[str, str]) -> str:
        check_key(key)
        encode_metadata(metadata)
        store_id = uuid4().hex
        directory = self._root / store_id
        directory.mkdir()
        with (directory / _ABOUT).open("xb") as file:
            file.write(json.dumps(asdict(_About(key, content_type, metadata)), ensure_ascii=False).encode())
            file.flush()
            os.fsync(file.fileno())
        sync_directory(directory)
        sync_directory(self._root)
        return store_id

    def take(self, key: ObjectKey, store_id: str, number: int, draft: Draft) -> Part:
        """Keep a draft that has arrived whole as part `number`, in place of what was there."""
        record = draft.seal("", {})
        directory = self._directory(key, store_id)
        path = directory / f"{number:05}-{record.sha256}"
        with self._objects.lock(store_id):
            try:
                draft.path.rename(path)
                sync_directory(directory)
            except FileNotFoundError:
                raise _gone(key) from None
            for other in directory.glob(f"{number:05}-*"):
                if other != path:
                    other.unlink(missing_ok=True)
        return _part(path, number, record.sha256)

    def arrived(self, key: ObjectKey, store_id: str) -> Sequence[Part]:
        newest: dict[int, Part] = {}
        for path in self._files(self._directory(key, store_id)):
            with suppress(FileNotFoundError):
                part = _of_file(path)
                if part is not None:
                    known = newest.get(part.number)
                    newest[part.number] = part if known is None else max(known, part, key=lambda p: p.modified_at)
        return [newest[number] for number in sorted(newest)]

    def made_before(self, key: ObjectKey, store_id: str) -> ObjectInfo | None:
        """The object, where this very upload became it."""
        try:
            file, record = self._objects.open(key)
        except NotFound:
            return None
        file.close()
        return record.info(key) if record.upload == store_id else None

    def paths(self, key: ObjectKey, store_id: str, parts: Sequence[Part], *, if_absent: bool) -> list[Path]:
        """The files of `parts`, where an object may be made of them now."""
        if if_absent and self._objects.exists(key):
            raise Conflict(f"The object {key} exists already.")
        directory = self._directory(key, store_id)
        here = {part.number: part for part in self.arrived(key, store_id)}
        numbers = [part.number for part in parts]
        if not parts or numbers != sorted(set(numbers)):
            raise Rejected(f"The parts of {key} must be given once each, in order.")
        if any(part.number not in here or here[part.number].etag != part.etag for part in parts):
            raise _changed(key)
        return [directory / f"{number:05}-{here[number].sha256}" for number in numbers]

    def append(self, draft: Draft, path: Path, key: ObjectKey) -> None:
        try:
            draft.append(path)
        except FileNotFoundError:
            raise _changed(key) from None

    def publish(self, draft: Draft, key: ObjectKey, store_id: str, *, if_absent: bool) -> ObjectInfo:
        about = self._about(key, store_id)
        record: Record = draft.seal(about.content_type, about.metadata, store_id)
        try:
            self._objects.publish(draft, key, record, if_absent=if_absent)
        except Conflict:
            if (made := self.made_before(key, store_id)) is None:
                raise
            return made
        return record.info(key)

    def remove(self, key: ObjectKey, store_id: str) -> None:
        """An upload that has ended is fine. What still arrives for it finds no directory."""
        with suppress(NotFound):
            directory = self._directory(key, store_id)
            (directory / _ABOUT).unlink(missing_ok=True)
            shutil.rmtree(directory, ignore_errors=True)

    def _directory(self, key: ObjectKey, store_id: str) -> Path:
        self._about(key, store_id)
        return self._root / store_id

    def _about(self, key: ObjectKey, store_id: str) -> _About:
        check_key(key)
        if not _ID.match(store_id):
            raise _gone(key)
        try:
            about = _About(**json.loads((self._root / store_id / _ABOUT).read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            self._objects.require_root()
            raise _gone(key) from None
        if about.key != key:
            raise _gone(key)
        return about

    def _files(self, directory: Path) -> Iterable[Path]:
        with suppress(FileNotFoundError):
            yield from directory.iterdir()

    def _sweep(self) -> None:
        for directory in self._root.iterdir():
            with suppress(FileNotFoundError):
                if time.time() - directory.stat().st_mtime > _STALE_S:
                    shutil.rmtree(directory, ignore_errors=True)


def _of_file(path: Path) -> Part | None:
    match = _PART.match(path.name)
    return None if match is None else _part(path, int(match["number"]), match["sha256"])


def _part(path: Path, number: int, sha256: str) -> Part:
    stat = path.stat()
    return Part(number, stat.st_size, sha256[:32], datetime.fromtimestamp(stat.st_mtime, UTC), sha256)


def _changed(key: ObjectKey) -> Rejected:
    return Rejected(f"The parts of {key} have changed, or some are missing.")


def _gone(key: ObjectKey) -> NotFound:
    return NotFound(f"The upload of {key} has ended.")
