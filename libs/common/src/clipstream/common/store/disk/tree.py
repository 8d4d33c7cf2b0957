"""The directory itself: objects under their keys, records beside them, drafts until they are complete. Synchronous;
every call may block on the disk, so the store makes them in threads.

    objects/<key>   the bytes        records/<key>   size, time, checksum, type, metadata
    incoming/       drafts           locks/          one of 64 files is locked while a key is published
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat as modes
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from uuid import uuid4

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Conflict, NotFound, Outage, Permanent
from clipstream.common.store.disk.draft import Draft
from clipstream.common.store.disk.records import Record, read_records, record_of_foreign, write_records
from clipstream.common.store.names import check_key, check_prefix, key_fault

_STRIPES = 64
_STALE_DRAFT_S = 24 * 3600
_TRIES = 20  # a directory may be removed, empty, between its making and its use


class ObjectTree:
    """One storage directory. Several processes may use it at once."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True, mode=0o750)
        self.root = root.resolve()
        self._objects, self._records, self._incoming, self._locks = (
            self.root / name for name in ("objects", "records", "incoming", "locks")
        )
        for directory in (self._objects, self._records, self._incoming, self._locks):
            directory.mkdir(exist_ok=True)
        self._sweep()

    def check(self) -> None:
        """`Outage` where the directory is gone or cannot be written."""
        self.require_root()
        with self.draft() as draft:
            draft.write(b"\0")

    def open(self, key: ObjectKey) -> tuple[BufferedReader, Record]:
        """The object's file and its record. The file stays the same object even while the key is overwritten."""
        for _ in range(_TRIES):
            file = self._open_file(key)
            try:
                stat = os.fstat(file.fileno())
                for record in read_records(self._records / key):
                    if record.describes(stat):
                        return file, record
                if adopted := self._adopt(key):
                    file.close()
                    return adopted
            except BaseException:
                file.close()
                raise
            file.close()
        raise Outage(f"The object {key} is being overwritten too quickly to be read.")

    def exists(self, key: ObjectKey) -> bool:
        path = self._path(key)
        return os.path.lexists(path) and not path.is_dir()

    def draft(self) -> Draft:
        """A new file outside the objects, not visible to anyone."""
        return Draft(self._incoming / uuid4().hex)

    def publish(self, draft: Draft, key: ObjectKey, record: Record, *, if_absent: bool) -> None:
        """Make a sealed draft the object at `key`. `Conflict` where `if_absent` and there is one."""
        path = self._path(key)
        with self.lock(key):
            for _ in range(_TRIES):
                with suppress(FileNotFoundError):
                    return self._publish(draft, key, path, record, if_absent)
                self.require_root()
        raise Outage(f"The directory of {key} cannot be kept long enough to store it.")

    def _publish(self, draft: Draft, key: ObjectKey, path: Path, record: Record, if_absent: bool) -> None:
        if if_absent and self.exists(key):
            raise Conflict(f"The object {key} exists already.")
        record_path = self._records / key
        try:
            _make_room(path)
            _make_room(record_path)
            write_records(record_path, self._incoming / uuid4().hex, [record, *self._current(key, path)])
            if if_absent:
                os.link(draft.path, path)
            else:
                draft.path.replace(path)
        except FileExistsError:
            raise Conflict(f"The object {key} exists already.") from None
        except (NotADirectoryError, IsADirectoryError):  # S3 would take both, MinIO would hide one of them
            raise Permanent(f"The object key {key} lies below another object, or another object below it.") from None
        sync_directory(path.parent)

    def _current(self, key: ObjectKey, path: Path) -> list[Record]:
        with suppress(FileNotFoundError):
            stat = path.lstat()
            return [record for record in read_records(self._records / key) if record.describes(stat)][:1]
        return []

    def delete(self, key: ObjectKey) -> bool:
        """Whether there was one."""
        path = self._path(key)
        with self.lock(key):
            try:
                path.unlink()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                self.require_root()
                return False
            except PermissionError:
                if path.is_dir():  # what some systems say of a directory
                    return False
                raise
            (self._records / key).unlink(missing_ok=True)
        _prune(path.parent, self._objects)
        _prune((self._records / key).parent, self._records)
        return True

    def keys(self, prefix: str, start_after: str = "") -> Iterator[ObjectKey]:
        """Keys in order of their UTF-8 bytes, as S3 lists them."""
        check_prefix(prefix)
        self.require_root()
        top = prefix.rpartition("/")[0]
        if top:
            self._path(ObjectKey(top))  # refuses links
        return self._walk(f"{top}/" if top else "", prefix, start_after)

    def _walk(self, directory: str, prefix: str, start_after: str) -> Iterator[ObjectKey]:
        try:
            with os.scandir(self._objects / directory) as found:
                entries = sorted(
                    f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name for entry in found
                )
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in entries:
            key = directory + name
            if key_fault(key.removesuffix("/")):
                continue  # somebody else's file, under a name that is no key
            if name.endswith("/"):
                if (key.startswith(prefix) or prefix.startswith(key)) and start_after[: len(key)] <= key:
                    yield from self._walk(key, prefix, start_after)
            elif key.startswith(prefix) and key > start_after:
                yield ObjectKey(key)

    def _open_file(self, key: ObjectKey) -> BufferedReader:
        try:
            descriptor = os.open(self._path(key), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            self.require_root()
            raise NotFound(f"There is no object {key}.") from None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise NotFound(f"There is no object {key}, but a link.") from None
            raise
        if not modes.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise NotFound(f"There is no object {key}.")
        return os.fdopen(descriptor, "rb")

    def _adopt(self, key: ObjectKey) -> tuple[BufferedReader, Record] | None:
        """Make a record for a file that has none; None where it changed meanwhile."""
        with self.lock(key):
            file = self._open_file(key)
            stat = os.fstat(file.fileno())
            if any(record.describes(stat) for record in read_records(self._records / key)):
                file.close()
                return None  # published between our two looks
            record = record_of_foreign(key, file)
            with suppress(FileNotFoundError):
                _make_room(self._records / key)
                write_records(self._records / key, self._incoming / uuid4().hex, [record])
                return file, record
            file.close()
            return None

    def _path(self, key: ObjectKey) -> Path:
        """Where the object lies: always below `objects`, whatever the key and whatever links were put there."""
        check_key(key)
        path = self._objects / key
        parent = os.path.realpath(path.parent)
        if Path(parent) != path.parent:
            raise Permanent(f"The object key {key} leads out of the storage directory.")
        return path

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Nobody else, in any process, publishes under this name meanwhile. For moments only: others share the file."""
        stripe = zlib.crc32(key.encode()) % _STRIPES
        with (self._locks / f"{stripe:02}").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # ends with the file, so also with the process
            yield

    def require_root(self) -> None:
        """`Outage` where the directory is gone: what is missing then was not deleted."""
        if not self._objects.is_dir():
            raise Outage(f"The storage directory {self.root} is gone; is its disk mounted?")

    def _sweep(self) -> None:
        """Remove drafts that a killed process left."""
        for path in self._incoming.iterdir():
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _STALE_DRAFT_S:
                    path.unlink()


def _make_room(path: Path) -> None:
    """Make the directory of `path`, and remove an empty one in its place that is left of longer keys.
    `FileNotFoundError` where somebody pruned the directory meanwhile: try again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as found:  # a file; or a directory that was there, and then no more
        if not modes.S_ISDIR(path.parent.lstat().st_mode):
            raise NotADirectoryError(str(path.parent)) from None
        raise FileNotFoundError(str(path.parent)) from found
    with suppress(OSError):
        path.rmdir()
    if path.is_dir():
        raise IsADirectoryError(str(path))


def _prune(directory: Path, top: Path) -> None:
    """Remove directories that became empty."""
    while directory != top:
        try:
            directory.rmdir()
        except OSError:
            return
        directory = directory.parent


def sync_directory(path: Path) -> None:
    """Make the names in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
