"""Turns what the object store announces into `upload.completed`. A notification is a hint to look; what HEAD says decides.

The event's id follows from the stored object alone, so that it does not matter who else announces the same upload, how
often, or in which order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

import structlog

from clipstream.common.bus.port import Bus
from clipstream.common.contracts import keys
from clipstream.common.contracts.announcements import Announcement, Malformed, announced
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import UploadCompleted
from clipstream.common.contracts.ids import StreamId, upload_event_id
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import NotFound
from clipstream.common.store.objects import ObjectStore

STREAM_ID = "stream-id"

_log = structlog.get_logger(__name__)


def listen(exchange: str) -> Callable[[Bus, ObjectStore], Awaitable[None]]:
    """A background task of the service: take what is announced on `exchange`, for as long as the service lives."""

    async def task(bus: Bus, store: ObjectStore) -> None:
        async def handle(body: bytes, headers: Mapping[str, str]) -> None:
            await announce(body, bus, store)

        await bus.consume_storage(exchange, handle)

    return task


async def announce(body: bytes, bus: Bus, store: ObjectStore) -> int:
    """Publish `upload.completed` for each upload that a notification names and the store holds; how many.

    Strange notifications and objects that are none of ours are logged and done with; an outage is raised, to be retried.
    """
    try:
        hints = announced(body)
    except Malformed as error:
        _log.warning("announcement_ignored", reason=str(error), start=body[:200].decode(errors="replace"))
        return 0
    return sum([await _announce(hint, bus, store) for hint in hints])


async def _announce(hint: Announcement, bus: Bus, store: ObjectStore) -> bool:
    log = _log.bind(bucket=hint.bucket, key=hint.key[:200])
    video_id = keys.video_of_original(hint.key)
    if hint.bucket != store.bucket or video_id is None:
        log.info("announcement_ignored", reason="not an upload of ours")
        return False
    key = ObjectKey(hint.key)
    try:
        stored = await store.head(key)
    except NotFound:
        log.info("announcement_ignored", reason="the object is gone")
        return False
    stream_id = _stream_of(stored.metadata)
    if stream_id is None:
        log.warning("announcement_ignored", reason="the object does not say which stream it belongs to")
        return False
    event = UploadCompleted(
        video_id=video_id,
        stream_id=stream_id,
        key=key,
        size_bytes=stored.size_bytes,
        etag=stored.etag,
        announced_by="bucket",
    )
    event_id = upload_event_id(store.bucket, key, stored.etag, stored.size_bytes)
    await bus.publish(Envelope.first(event, event_id=event_id, source="ingest"))
    log.info("upload_announced", video_id=str(video_id), event_id=str(event_id))
    return True


def _stream_of(metadata: Mapping[str, str]) -> StreamId | None:
    try:
        return StreamId(UUID(metadata.get(STREAM_ID, "")))
    except ValueError:
        return None
