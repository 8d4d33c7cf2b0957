"""The object store in a directory: every call on the disk is made in a thread of the store's own."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import ParamSpec, TypeVar

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Conflict, NotFound, Outage, Permanent
from clipstream.common.store.disk.multipart import BLOCK, DiskParts, in_blocks
from clipstream.common.store.disk.records import Record
from clipstream.common.store.disk.tree import ObjectTree
from clipstream.common.store.files import read_file
from clipstream.common.store.names import check_key, encode_metadata
from clipstream.common.store.objects import ObjectInfo, PresignedUpload, Space
from clipstream.common.store.presign import UploadSigner

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 8
_LISTED_AT_ONCE = 256


class DiskStore(DiskParts):
    """Implements `ObjectStore`. Without a `signer`, uploads cannot be signed: only the gateway has one."""

    def __init__(self, root: Path, bucket: str, signer: UploadSigner | None = None) -> None:
        self.bucket = bucket
        self._tree = ObjectTree(root)
        super().__init__(self._tree)
        self._signer = signer
        self._threads = ThreadPoolExecutor(_THREADS, "store")

    async def head(self, key: ObjectKey) -> ObjectInfo:
        file, record = await self._open(key)
        await self._run(file.close)
        return record.info(key)

    async def get(self, key: ObjectKey, *, limit: int = 16 << 20) -> bytes:
        return await self._run(self._read_all, key, limit)

    def _read_all(self, key: ObjectKey, limit: int) -> bytes:
        file, record = self._tree.open(key)
        with file:
            if record.size_bytes > limit:
                raise Permanent(f"The object {key} has {record.size_bytes} bytes; {limit} are read at most.")
            return file.read()

    async def read_range(self, key: ObjectKey, offset: int, length: int, *, etag: str | None = None) -> bytes:
        return await self._run(self._read_range, key, offset, length, etag)

    def _read_range(self, key: ObjectKey, offset: int, length: int, etag: str | None) -> bytes:
        file, record = self._tree.open(key)
        with file:
            _check_version(key, record, etag)
            return os.pread(file.fileno(), max(0, min(length, record.size_bytes - offset)), offset)

    async def stream(
        self,
        key: ObjectKey,
        *,
        offset: int = 0,
        length: int | None = None,
        chunk: int = BLOCK,
        etag: str | None = None,
    ) -> AsyncIterator[bytes]:
        file, record = await self._open(key)
        try:
            _check_version(key, record, etag)
            end = record.size_bytes if length is None else min(record.size_bytes, offset + length)
            while offset < end:
                piece = await self._run(os.pread, file.fileno(), min(chunk, end - offset), offset)
                if not piece:
                    raise Outage(f"The file of {key} is shorter than it was when it was stored.")
                offset += len(piece)
                yield piece
        finally:
            await self._run(file.close)

    async def put(
        self,
        key: ObjectKey,
        body: bytes,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
    ) -> ObjectInfo:
        return await self._run(self._put, key, body, content_type, dict(metadata or {}), if_absent)

    def _put(
        self, key: ObjectKey, body: bytes, content_type: str, metadata: dict[str, str], if_absent: bool
    ) -> ObjectInfo:
        self._refuse_early(key, metadata, if_absent)
        with self._tree.draft() as draft:
            draft.write(body)
            record = draft.seal(content_type, metadata)
            self._tree.publish(draft, key, record, if_absent=if_absent)
        return record.info(key)

    async def put_file(
        self,
        key: ObjectKey,
        path: Path,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
    ) -> ObjectInfo:
        body = read_file(path, BLOCK)
        return await self.put_stream(key, body, content_type=content_type, metadata=metadata, if_absent=if_absent)

    async def put_stream(
        self,
        key: ObjectKey,
        body: AsyncIterator[bytes],
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
    ) -> ObjectInfo:
        kept = dict(metadata or {})
        await self._run(self._refuse_early, key, kept, if_absent)
        draft = await self._run(self._tree.draft)
        try:
            async for block in in_blocks(body):
                await self._run(draft.write, block)
            record: Record = await self._run(draft.seal, content_type, kept)
            await self._run(lambda: self._tree.publish(draft, key, record, if_absent=if_absent))
        finally:
            await self._run(draft.close)
        return record.info(key)

    def _refuse_early(self, key: ObjectKey, metadata: Mapping[str, str], if_absent: bool) -> None:
        check_key(key)
        encode_metadata(metadata)
        if if_absent and self._tree.exists(key):
            raise Conflict(f"The object {key} exists already.")

    async def delete(self, key: ObjectKey) -> None:
        await self._run(self._tree.delete, key)

    async def delete_prefix(self, prefix: str) -> int:
        return await self._run(lambda: sum(self._tree.delete(key) for key in list(self._tree.keys(prefix))))

    async def list(self, prefix: str, *, start_after: str = "") -> AsyncIterator[ObjectInfo]:
        keys = await self._run(self._tree.keys, prefix, start_after)
        while batch := await self._run(self._next_infos, keys):
            for info in batch:
                if info is not None:
                    yield info

    def _next_infos(self, keys: Iterator[ObjectKey]) -> Sequence[ObjectInfo | None]:
        return [self._info_if_there(key) for key in islice(keys, _LISTED_AT_ONCE)]

    def _info_if_there(self, key: ObjectKey) -> ObjectInfo | None:
        try:
            file, record = self._tree.open(key)
        except NotFound:  # deleted while we listed
            return None
        file.close()
        return record.info(key)

    async def presign_put(
        self,
        key: ObjectKey,
        *,
        size_bytes: int,
        content_type: str,
        metadata: Mapping[str, str],
        expires_in: timedelta,
        sha256: str | None = None,
    ) -> PresignedUpload:
        return self._own_signer().sign(
            key,
            size_bytes=size_bytes,
            content_type=content_type,
            metadata=metadata,
            expires_in=expires_in,
            sha256=sha256,
        )

    async def presign_get(self, key: ObjectKey, *, expires_in: timedelta) -> str | None:
        check_key(key)
        return None

    async def space(self) -> Space:
        usage = await self._run(shutil.disk_usage, self._tree.root)
        return Space(total_bytes=usage.total, used_bytes=usage.used, free_bytes=usage.free)

    async def check(self) -> None:
        await self._run(self._tree.check)

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)

    async def _open(self, key: ObjectKey) -> tuple[BufferedReader, Record]:
        return await self._run(self._tree.open, key)

    async def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run in a thread and wait for its end even when cancelled: what it works on is closed next."""
        job = asyncio.get_running_loop().run_in_executor(self._threads, lambda: call(*args, **kwargs))
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            await asyncio.wait([job])
            job.cancelled() or job.exception()  # seen: the cancellation is what the caller learns
            raise
        except OSError as error:
            raise _outage(error) from error


def _check_version(key: ObjectKey, record: Record, etag: str | None) -> None:
    if etag is not None and etag != record.etag:
        raise Conflict(f"The object {key} has changed since it was looked at.")


def _outage(error: OSError) -> Outage:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Outage("The storage directory is full.")
    return Outage(f"The storage directory cannot be used ({error}).")
