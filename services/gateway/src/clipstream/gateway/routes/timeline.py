"""A video's own seconds, and what lies on them: clips that were cut from it, other recordings, what was said."""

from __future__ import annotations

import asyncio

from asyncpg import Record
from pydantic import BaseModel

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import NotFound
from clipstream.gateway import captions
from clipstream.gateway.access import Access
from clipstream.gateway.repository import matches
from clipstream.gateway.routes.api import Call, Reply, RouteTable, VideoPath
from clipstream.gateway.routes.matches import PointOfView, Trim, pov, trim
from clipstream.gateway.views import NotComplete, fact

table = RouteTable("intelligence")
MOST = 500  # of each kind; the lists of their own have pages


class Spoken(BaseModel):
    """Said from `start_time` on, for `duration` seconds."""

    start_time: float
    duration: float
    text: str


class Timeline(BaseModel):
    """What lies on a video's seconds. Where it is long, the first 500 of each kind. `original_duration` is unknown where
    the file could not be looked at."""

    original_duration: float | None
    trimmed_clips: list[Trim]
    povs: list[PointOfView]
    speech: list[Spoken]


@table.route("GET", "/videos/{video_id}/timeline", access=Access.VIEWER, also={202: NotComplete})
async def get_timeline(call: Call, path: VideoPath) -> Timeline | Reply:
    """Everything known about a video by its seconds"""
    pool = call.services.pool
    row = call.found
    if row["status"] in ("uploading", "processing"):
        return Reply(NotComplete(processing_index=row["processing_index"]), status=202)
    return Timeline(
        original_duration=row["duration_s"],
        trimmed_clips=[trim(other) for other in await matches.on_its_timeline(pool, row["id"], limit=MOST)],
        povs=[pov(other) for other in await matches.points_of_view(pool, row["id"], limit=MOST)],
        speech=await _speech(call, row),
    )


async def _speech(call: Call, row: Record) -> list[Spoken]:
    """As the captions have it; nothing where no speech was found, or none was looked for."""
    told = fact(row, "transcript")
    if not told.get("segments"):
        return []
    try:
        raw = await call.services.store.get(ObjectKey(told["captions_key"]), limit=captions.LIMIT_BYTES)
    except NotFound:
        return []
    return await asyncio.to_thread(_spoken, raw.decode(errors="replace"))


def _spoken(vtt: str) -> list[Spoken]:
    return [
        Spoken(
            start_time=cue.start_s, duration=round(max(cue.end_s - cue.start_s, 0), 3), text=" ".join(cue.text.split())
        )
        for cue in captions.cues(vtt)
        if cue.text
    ][:MOST]
