"""The multipart half of the disk store: parts come through the gateway's signed route."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import timedelta
from typing import ParamSpec, TypeVar
from weakref import WeakValueDictionary

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import ClipstreamError
from clipstream.common.store.disk.parts import PartTree
from clipstream.common.store.disk.tree import ObjectTree
from clipstream.common.store.objects import ObjectInfo, Part, PresignedUpload
from clipstream.common.store.presign import UploadSigner

P = ParamSpec("P")
T = TypeVar("T")

BLOCK = 1 << 20  # written or read in one visit to a thread


class DiskParts(ABC):
    """Needs the object tree and a way to run what blocks."""

    _tree: ObjectTree
    _signer: UploadSigner | None

    def __init__(self, tree: ObjectTree) -> None:
        self._parts = PartTree(tree)
        self._completing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @abstractmethod
    async def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...

    async def open_multipart(
        self,
        key: ObjectKey,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        checksums: bool = False,
    ) -> str:
        return await self._run(self._parts.open, key, content_type, dict(metadata or {}))

    async def presign_part(
        self,
        key: ObjectKey,
        store_id: str,
        number: int,
        *,
        size_bytes: int,
        expires_in: timedelta,
        sha256: str | None = None,
    ) -> PresignedUpload:
        return self._own_signer().sign_part(
            key, store_id, number, size_bytes=size_bytes, expires_in=expires_in, sha256=sha256
        )

    def _own_signer(self) -> UploadSigner:
        if self._signer is None:
            raise ClipstreamError("Uploads to disk storage are signed by the gateway; this service has no signer.")
        return self._signer

    async def put_part(
        self, key: ObjectKey, store_id: str, number: int, body: AsyncIterator[bytes], *, sha256: str | None = None
    ) -> Part:
        """Implements `TakesParts`."""
        await self._run(self._parts.arrived, key, store_id)  # refused before the first byte
        draft = await self._run(self._tree.draft)
        try:
            async for block in in_blocks(body):
                await self._run(draft.write, block)
            return await self._run(self._parts.take, key, store_id, number, draft)
        finally:
            await self._run(draft.close)

    async def list_parts(self, key: ObjectKey, store_id: str) -> Sequence[Part]:
        return await self._run(self._parts.arrived, key, store_id)

    async def complete_multipart(
        self, key: ObjectKey, store_id: str, parts: Sequence[Part], *, if_absent: bool = True
    ) -> ObjectInfo:
        async with self._completing.setdefault(store_id, asyncio.Lock()):
            info = await self._run(self._parts.made_before, key, store_id)
            if info is None:
                info = await self._assemble(key, store_id, parts, if_absent)
            await self._run(self._parts.remove, key, store_id)
            return info

    async def _assemble(self, key: ObjectKey, store_id: str, parts: Sequence[Part], if_absent: bool) -> ObjectInfo:
        paths = await self._run(lambda: self._parts.paths(key, store_id, parts, if_absent=if_absent))
        draft = await self._run(self._tree.draft)
        try:
            for path in paths:
                await self._run(self._parts.append, draft, path, key)
            return await self._run(lambda: self._parts.publish(draft, key, store_id, if_absent=if_absent))
        finally:
            await self._run(draft.close)

    async def abort_multipart(self, key: ObjectKey, store_id: str) -> None:
        await self._run(self._parts.remove, key, store_id)


async def in_blocks(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in pieces worth a visit to a thread."""
    waiting = bytearray()
    async for chunk in body:
        waiting += chunk
        if len(waiting) >= BLOCK:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)
