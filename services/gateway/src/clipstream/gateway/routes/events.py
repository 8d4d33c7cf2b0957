"""The same as `/processing`, live, and a whole stream's videos.

A video's reader gets its state first; one who comes back and names the last id gets it only where it has changed. A
stream's reader gets a snapshot first; one who comes back is told what changed and what was deleted since that id, and a
little from before it: a change may be told twice, so that none is missed. Every event holds the whole state, so twice
does no harm. Where too much has happened, there is a snapshot again, which takes the place of all that was told.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel

from clipstream.common.contracts.events import ClipProgress, Stage
from clipstream.gateway import views
from clipstream.gateway.access import Access
from clipstream.gateway.feed import LOOK_BACK
from clipstream.gateway.readers import Reader
from clipstream.gateway.repository import live, videos
from clipstream.gateway.routes.api import Call, RouteTable, StreamPath, VideoPath
from clipstream.gateway.sse import HEARTBEAT_S, EventWriter, stream
from clipstream.gateway.views import Video

table = RouteTable("events")
EVENTS = ("text/event-stream",)
TOO_MANY = {429: "Too many open streams"}
SNAPSHOT_LIMIT = 100
# A change is dated by the begin of its transaction and noticed after the end, at another gateway by its next look.
OVERLAP = LOOK_BACK * 2
_EVENT_ID = re.compile(r"[0-9]{1,16}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Tick(BaseModel):
    """A stage gets on. `fraction` is 0..1."""

    id: UUID
    stage: Stage
    state: Literal["started", "running", "retrying"]
    fraction: float
    attempt: int
    note: str | None


class Gone(BaseModel):
    """The video was deleted."""

    id: UUID


class Snapshot(BaseModel):
    """The newest videos of a stream, as they stand."""

    videos: list[Video]


@table.route("GET", "/videos/{video_id}/events", access=Access.VIEWER, content=EVENTS, errors=TOO_MANY)
async def watch_video(call: Call, path: VideoPath) -> web.StreamResponse:
    """Live: `processing` with the whole state at every change, `progress` between, `deleted` or `closed` at the end"""
    video_id = path.video_id
    seen = call.request.headers.get("Last-Event-ID")

    async def feed(writer: EventWriter) -> None:
        with call.services.feed.watch_video(video_id) as subscription:
            revision = await _send_processing(call, writer, video_id, unless=seen)
            while revision is not None:
                changed, progress = await subscription.wait(HEARTBEAT_S)
                await _send_progress(writer, progress)
                if changed:
                    revision = await _send_processing(call, writer, video_id, unless=revision)
                elif not progress:
                    await writer.heartbeat()

    return await stream(call, _reader(call, video_id=video_id), feed)


@table.route("GET", "/streams/{stream_id}/events", access=Access.VIEWER, content=EVENTS, errors=TOO_MANY)
async def watch_stream(call: Call, path: StreamPath) -> web.StreamResponse:
    """Live: `snapshot` of the newest videos, then `video` at every change, `progress` between, `deleted`, `closed`"""
    stream_id = path.stream_id

    async def feed(writer: EventWriter) -> None:
        with call.services.feed.watch_stream(stream_id) as subscription:
            told = await _send_beginning(call, writer, stream_id)
            while True:
                changed, progress = await subscription.wait(HEARTBEAT_S)
                await _send_progress(writer, progress)
                if changed:
                    await _send_videos(call, writer, changed, told)
                elif not progress:
                    await writer.heartbeat()

    return await stream(call, _reader(call, stream_id=stream_id), feed)


def _reader(call: Call, *, stream_id: UUID | None = None, video_id: UUID | None = None) -> Reader:
    return Reader(call.request, call.caller.id, call.key_id, call.login_id, stream_id, video_id)


async def _send_beginning(call: Call, writer: EventWriter, stream_id: UUID) -> dict[UUID, int]:
    """What happened since the reader was here, or a snapshot where that is unknown or too much; the revisions told."""
    pool = call.services.pool
    now, since = await live.clock(pool), _time_of(call.request.headers.get("Last-Event-ID"))
    if since is not None and since <= now:
        changed = await live.changed_since(pool, stream_id, since - OVERLAP, SNAPSHOT_LIMIT + 1)
        deleted = await live.deleted_since(pool, stream_id, since - OVERLAP, SNAPSHOT_LIMIT + 1)
        if len(changed) <= SNAPSHOT_LIMIT and len(deleted) <= SNAPSHOT_LIMIT:
            told: dict[UUID, int] = {}
            await _send_videos(call, writer, [*deleted, *changed], told)
            return told
    rows = await videos.of_stream(pool, stream_id, limit=SNAPSHOT_LIMIT)
    await writer.send("snapshot", Snapshot(videos=[views.video(row) for row in rows]), event_id=_id_at(now))
    return {row["id"]: row["revision"] for row in rows}


def _id_at(time: datetime) -> str:
    """Ids of a stream's events are the database's time before their state was read, in microseconds: they only grow."""
    return str((time - _EPOCH) // timedelta(microseconds=1))


def _time_of(event_id: str | None) -> datetime | None:
    if event_id is None or not _EVENT_ID.fullmatch(event_id):
        return None
    return _EPOCH + timedelta(microseconds=int(event_id))


async def _send_processing(call: Call, writer: EventWriter, video_id: UUID, *, unless: str | None) -> str | None:
    """Tell the state where it is not the one already told; its revision, or None where the video is gone."""
    row = await videos.by_id(call.services.pool, video_id)
    if row is None:
        await writer.send("deleted", Gone(id=video_id))
        return None
    revision = str(row["revision"])
    if revision != unless:
        state = await views.processing(call.services.pool, call.services.estimates, row)
        await writer.send("processing", state, event_id=revision)
    return revision


async def _send_videos(call: Call, writer: EventWriter, changed: Collection[UUID], told: dict[UUID, int]) -> None:
    """Tell the state of changed videos where it is not the one already told: a change may be noticed twice."""
    if not changed:
        return
    event_id = _id_at(await live.clock(call.services.pool))
    rows = await videos.by_ids(call.services.pool, list(changed))
    for video_id in changed:
        row = rows.get(video_id)
        if row is None:
            told.pop(video_id, None)
            await writer.send("deleted", Gone(id=video_id), event_id=event_id)
        elif told.get(video_id) != row["revision"]:
            told[video_id] = row["revision"]
            await writer.send("video", views.video(row), event_id=event_id)


async def _send_progress(writer: EventWriter, progress: list[ClipProgress]) -> None:
    for event in progress:
        tick = Tick(
            id=event.video_id,
            stage=event.stage,
            state=event.state,
            fraction=event.fraction,
            attempt=event.attempt,
            note=event.note,
        )
        await writer.send("progress", tick)
