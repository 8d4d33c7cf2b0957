"""Registers what lies in the bucket already: uploads that nobody announced or whose rows were lost, and files that came by
another way, which are copied to where originals belong.

Every id follows from what was found, so that scanning again registers nothing twice and goes on where it was interrupted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Literal
from uuid import UUID, uuid5

import structlog
from asyncpg import Pool, UniqueViolationError
from pydantic import TypeAdapter, ValidationError

from clipstream.common.contracts import keys
from clipstream.common.contracts.ids import NAMESPACE, VideoId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.db.outbox import Relay
from clipstream.common.errors import Conflict, NotFound
from clipstream.common.store.objects import ObjectInfo, ObjectStore
from clipstream.gateway import commands
from clipstream.gateway.projector import Projector
from clipstream.gateway.repository import assets
from clipstream.gateway.repository.assets import Known
from clipstream.gateway.uploading import CONTENT_TYPES, ClipName, default_title, extension, size_in_words

PAGE = 200
PATIENCE_S = 20.0  # after which a call begins no further file
COPYING = timedelta(hours=1)  # for so long the sweeper does not look for a file that is being copied
MADE_HERE = ("processed-videos/", "thumbnails/", "transcripts/", "embeddings/")
_NAME: TypeAdapter[str] = TypeAdapter(ClipName)

log = structlog.get_logger(__name__)

State = Literal["registered", "known", "skipped"]


class Unusable(Exception):
    """An object that is not registered, with the reason in words."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One object. `known`: its video was there before."""

    key: str
    video_id: UUID | None
    state: State
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some objects in key order; `last` is the one after which the next page begins, None where there are no more."""

    files: Sequence[Finding]
    last: str | None


@dataclass(frozen=True, slots=True)
class Owner:
    """To whom a clip is to belong."""

    stream_id: UUID
    user_id: UUID


class Scan:
    """Looks through the store, a page at a time."""

    def __init__(
        self, pool: Pool, store: ObjectStore, projector: Projector, relay: Relay, *, max_upload_size: int
    ) -> None:
        self._pool = pool
        self._store = store
        self._projector = projector
        self._relay = relay
        self._max_upload_size = max_upload_size

    async def page(self, prefix: str, *, after: str = "", owner: Owner | None = None) -> Page:
        """Register the next objects below `prefix`. What does not say itself whose it is becomes `owner`'s."""
        began = time.monotonic()
        listed = await self._listed(prefix, after)
        ids = {stored.key: self._video_id(stored) for stored in listed[:PAGE]}
        rows = await assets.known(self._pool, list(ids.values()))
        deleted = await assets.deleted(self._pool, list(ids.values()))
        files: list[Finding] = []
        for stored in listed[:PAGE]:
            if files and time.monotonic() - began > PATIENCE_S:
                return Page(files, files[-1].key)
            video_id = ids[stored.key]
            files.append(await self._look_at(stored, video_id, rows.get(video_id), video_id in deleted, owner))
        self._relay.wake()
        return Page(files, files[-1].key if len(listed) > PAGE else None)

    async def _listed(self, prefix: str, after: str) -> list[ObjectInfo]:
        listed = []
        async for stored in self._store.list(prefix, start_after=after):
            listed.append(stored)
            if len(listed) > PAGE:
                break
        return listed

    def _video_id(self, stored: ObjectInfo) -> VideoId:
        """An original's is in its key; a foreign object's follows from it, and from its content."""
        name = "\0".join(("scan", self._store.bucket, stored.key, stored.etag))
        return keys.video_of_original(stored.key) or VideoId(uuid5(NAMESPACE, name))

    async def _look_at(
        self, stored: ObjectInfo, video_id: VideoId, row: Known | None, deleted: bool, owner: Owner | None
    ) -> Finding:
        if stored.key.startswith(MADE_HERE):
            return Finding(stored.key, None, "skipped", "It was made by the pipeline.")
        if row is not None and row.status != "uploading":
            return Finding(stored.key, video_id, "known")
        try:
            if deleted:
                raise Unusable("Its video was deleted.")
            if keys.video_of_original(stored.key) is None:
                await self._take_over(stored, video_id, row, owner)
            else:
                await self._register(stored, video_id, row, owner)
        except Unusable as reason:
            return Finding(stored.key, None, "skipped", str(reason))
        except UniqueViolationError:  # another scan was faster
            return Finding(stored.key, video_id, "known")
        log.info("asset_registered", video_id=str(video_id), key=stored.key)
        return Finding(stored.key, video_id, "registered")

    async def _register(self, stored: ObjectInfo, video_id: VideoId, row: Known | None, owner: Owner | None) -> None:
        """An original where originals lie: its row, where it has none, and its announcement."""
        if row is not None and row.key != stored.key:
            raise Unusable("Another file is expected for its video.")
        found = await self._head(stored.key)
        if row is None:
            self._check_size(found)
            whose = await self._whose(found, owner)
            filename = _filename(found.metadata.get("filename") or stored.key)
            await self._create(video_id, found, whose, filename, key=stored.key)
            await self._announce(video_id, whose.stream_id, found)
        else:
            await self._announce(video_id, row.stream_id, found)

    async def _take_over(self, stored: ObjectInfo, video_id: VideoId, row: Known | None, owner: Owner | None) -> None:
        """A file from elsewhere: first its row, so that nobody works on a video that is unknown, then the copy."""
        found = await self._head(stored.key)
        if row is not None:
            owner, filename, key = Owner(row.stream_id, row.uploader_id), row.filename, ObjectKey(row.key)
        else:
            self._check_size(found)
            if owner is None:
                raise Unusable("Name the stream that it shall belong to.")
            filename = _filename(stored.key)
            key = keys.original(video_id, extension(filename))
            await self._create(video_id, found, owner, filename, key=key)
        copied = await self._copy(found, key, owner, filename)
        await self._announce(video_id, owner.stream_id, copied)

    async def _copy(self, found: ObjectInfo, key: ObjectKey, owner: Owner, filename: str) -> ObjectInfo:
        metadata = {"stream-id": str(owner.stream_id), "user-id": str(owner.user_id), "filename": filename}
        try:
            return await self._store.put_stream(
                key,
                self._store.stream(found.key),
                content_type=CONTENT_TYPES[extension(filename)],
                metadata=metadata,
                if_absent=True,
            )
        except Conflict:  # it was copied before, and not announced
            return await self._head(key)

    async def _head(self, key: ObjectKey) -> ObjectInfo:
        try:
            return await self._store.head(key)
        except NotFound as error:
            raise Unusable("It was removed meanwhile.") from error

    def _check_size(self, found: ObjectInfo) -> None:
        if found.size_bytes == 0:
            raise Unusable("It is empty.")
        if found.size_bytes > self._max_upload_size:
            raise Unusable(f"It is larger than {size_in_words(self._max_upload_size)}.")

    async def _whose(self, found: ObjectInfo, owner: Owner | None) -> Owner:
        """What the object says itself, else `owner`."""
        try:
            said = Owner(UUID(found.metadata["stream-id"]), UUID(found.metadata["user-id"]))
        except (KeyError, ValueError):
            if owner is None:
                raise Unusable("It does not say whose it is: name the stream that it shall belong to.") from None
            return owner
        if not await assets.belongs(self._pool, said.stream_id, said.user_id):
            raise Unusable("Whoever uploaded it is no member of its stream any more.")
        return said

    async def _create(
        self, video_id: VideoId, found: ObjectInfo, owner: Owner, filename: str, *, key: ObjectKey
    ) -> None:
        await commands.create_video(
            self._pool,
            video_id,
            stream_id=owner.stream_id,
            uploader_id=owner.user_id,
            title=default_title(filename),
            filename=filename,
            content_type=CONTENT_TYPES[extension(filename)],
            key=key,
            size_bytes=found.size_bytes,
            sha256=found.sha256,
            recorded_at=None,
            look_after=COPYING,
        )

    async def _announce(self, video_id: VideoId, stream_id: UUID, stored: ObjectInfo) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await commands.announce(
                connection,
                self._projector,
                stored,
                video_id=video_id,
                stream_id=stream_id,
                bucket=self._store.bucket,
                by="scan",
            )
        self._projector.tell(video_id, stream_id)


def _filename(name: str) -> str:
    """The last part of a name, where it is one that may be uploaded under."""
    try:
        return _NAME.validate_python(PurePosixPath(name).name)
    except ValidationError as error:
        raise Unusable(f"Its name cannot be used: {error.errors()[0]['msg'].removeprefix('Value error, ')}.") from error
