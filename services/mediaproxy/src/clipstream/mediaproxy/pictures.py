"""Small pictures, made once and kept beside the objects they are of (`derived/{key}/{etag}/{preset}.{format}`)."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from datetime import timedelta

import structlog

from clipstream.common.contracts import keys
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Conflict, NotFound, Outage, Permanent, Rejected, Transient
from clipstream.common.obs import metrics
from clipstream.common.stage.context import Limits
from clipstream.common.stage.isolate import isolate
from clipstream.common.stage.scratch import Scratch
from clipstream.common.store.objects import ObjectInfo, ObjectStore
from clipstream.mediaproxy.images import MAX_BYTES, Format, shrink

LIMITS = Limits(
    wall=timedelta(seconds=10),
    cpu=timedelta(seconds=10),
    memory_bytes=1 << 30,
    file_bytes=32 << 20,
    open_files=64,
)
MOST_WAITING = 64
_REFUSALS_KEPT = 1024
_REFUSED_FOR_S = 600.0  # a decoder that ran out of time might do better later
log = structlog.get_logger(__name__)


class Pictures:
    """Finds or makes pictures: one child per picture, a few at once, and never two for the same one."""

    def __init__(self, store: ObjectStore, scratch: Scratch, workers: int) -> None:
        self._store = store
        self._scratch = scratch
        self._room = asyncio.Semaphore(workers)
        self._making: dict[ObjectKey, asyncio.Task[ObjectInfo]] = {}
        self._refused: OrderedDict[ObjectKey, tuple[float, str]] = OrderedDict()

    async def of(self, source: ObjectInfo, preset: str, picture_format: Format) -> ObjectInfo:
        """The picture of exactly this version of `source`. `Rejected` where none can be made, `Outage` while too many
        others wait. A caller that leaves does not end the making: the next one finds the picture."""
        key = keys.derived(source.key, source.etag, f"{preset}.{picture_format}")
        until, reason = self._refused.get(key, (0.0, ""))
        if time.monotonic() < until:
            raise Rejected(reason)
        if key not in self._making:
            try:
                return await self._store.head(key)
            except NotFound:
                pass
        return await asyncio.shield(self._begun(key, source, preset, picture_format))

    def _begun(
        self, key: ObjectKey, source: ObjectInfo, preset: str, picture_format: Format
    ) -> asyncio.Task[ObjectInfo]:
        if (task := self._making.get(key)) is not None:
            return task
        if len(self._making) >= MOST_WAITING:
            raise Outage(f"{MOST_WAITING} pictures are being made already.")
        task = asyncio.create_task(self._make(key, source, preset, picture_format))
        self._making[key] = task

        def ended(task: asyncio.Task[ObjectInfo]) -> None:
            del self._making[key]
            task.cancelled() or task.exception()  # seen, also where every caller has left

        task.add_done_callback(ended)
        return task

    async def _make(self, key: ObjectKey, source: ObjectInfo, preset: str, picture_format: Format) -> ObjectInfo:
        try:
            if source.size_bytes > MAX_BYTES:
                raise Rejected(f"The image is larger than {MAX_BYTES // 1_000_000} MB.")
            made = await self._made(key, source, preset, picture_format)
        except Outage:
            raise
        except (Permanent, Transient) as error:
            metrics.PICTURES.labels("refused").inc()
            log.info("picture_refused", reason=str(error))
            self._remember(key, str(error))
            raise Rejected(str(error)) from error
        metrics.PICTURES.labels("made").inc()
        return made

    async def _made(self, key: ObjectKey, source: ObjectInfo, preset: str, picture_format: Format) -> ObjectInfo:
        async with self._room, self._scratch.directory("picture") as scratch:
            path = await isolate(
                shrink,
                store=_OneVersion(self._store, source),
                source=source.key,
                scratch=scratch,
                limits=LIMITS,
                preset=preset,
                picture_format=picture_format,
            )
            content_type = f"image/{picture_format}"
            try:
                made = await self._store.put_file(key, scratch / path, content_type=content_type, if_absent=True)
            except Conflict:  # another process was as fast
                made = await self._store.head(key)
        try:
            await self._store.head(source.key)
        except NotFound:  # deleted meanwhile, and its pictures with it: this one came too late
            await self._store.delete(key)
            raise
        return made

    def _remember(self, key: ObjectKey, reason: str) -> None:
        self._refused[key] = time.monotonic() + _REFUSED_FOR_S, reason
        while len(self._refused) > _REFUSALS_KEPT:
            self._refused.popitem(last=False)

    async def close(self) -> None:
        """End what is being made."""
        tasks = list(self._making.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _OneVersion:
    """The object as it was when it was looked at, so that no picture is kept under the name of another version."""

    def __init__(self, store: ObjectStore, info: ObjectInfo) -> None:
        self._store = store
        self._info = info

    async def head(self, key: ObjectKey) -> ObjectInfo:
        return self._info

    async def read_range(self, key: ObjectKey, offset: int, length: int, *, etag: str | None = None) -> bytes:
        return await self._store.read_range(key, offset, length, etag=self._info.etag)
