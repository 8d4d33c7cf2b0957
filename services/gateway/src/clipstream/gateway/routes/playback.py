"""Playing a video: addresses of its playlists."""

from __future__ import annotations

from uuid import UUID

from asyncpg import Record
from pydantic import BaseModel

from clipstream.gateway import views
from clipstream.gateway.access import Access
from clipstream.gateway.playing import media_name, played, playlist, provisional
from clipstream.gateway.problems import Problem
from clipstream.gateway.routes.api import Call, Reply, RouteTable, VideoPath
from clipstream.gateway.views import fact

table = RouteTable("playback")
ORPHANED = "The clip that this one is a copy of was deleted. Upload this one again."


class Playback(BaseModel):
    """Where a player finds the video. Addresses are good for some hours; `bitrates` are the heights of the renditions.
    Captions come later than the pictures: `captions_url` is null until then, and where nothing was said. `storyboard_url` is
    WebVTT that names regions of pictures, `preview_url` a short silent MP4."""

    hls_url: str
    dash_url: str | None
    bitrates: list[int]
    captions_url: str | None
    storyboard_url: str | None
    preview_url: str | None


class StillProcessing(BaseModel):
    """Not every rendition is finished yet. With `hls_url` a provisional one can be played already: the source as it is, or
    the beginning of a small rendition, to which more is added. Ask again for the rest."""

    error: str = "Video still processing"
    processing_index: int
    estimated_time: str | None
    hls_url: str | None = None


@table.route(
    "GET",
    "/videos/{video_id}/stream",
    access=Access.VIEWER,
    also={202: StillProcessing},
    errors={409: "Video cannot be played"},
)
async def get_playback(call: Call, path: VideoPath) -> Playback | Reply:
    """Addresses to play a video, as soon as its renditions are there; 202 before"""
    row = await played(call.services.pool, call.found)
    if row["status"] in ("failed", "rejected", "duplicate"):
        raise Problem(409, "Video cannot be played", [row["error"] or ORPHANED])
    name = playlist(row)
    if name is None:
        return Reply(await _still(call, row), status=202)
    return Playback(
        hls_url=_media_url(call, row["id"], name),
        dash_url=_made_url(call, row, "dash_key"),
        bitrates=_heights(row),
        captions_url=_media_url(call, row["id"], "captions.vtt") if fact(row, "transcript").get("segments") else None,
        storyboard_url=_made_url(call, row, "storyboard_key"),
        preview_url=_made_url(call, row, "preview_key"),
    )


async def _still(call: Call, row: Record) -> StillProcessing:
    seen = await views.processing(call.services.pool, call.services.estimates, row)
    name = provisional(row)
    return StillProcessing(
        processing_index=row["processing_index"],
        estimated_time=seen.estimated_time,
        hls_url=None if name is None else _media_url(call, row["id"], name),
    )


def _heights(row: Record) -> list[int]:
    return sorted({rendition["height"] for rendition in fact(row, "playback").get("renditions", ())})


def _made_url(call: Call, row: Record, key: str) -> str | None:
    name = media_name(row, "playback", key)
    return None if name is None else _media_url(call, row["id"], name)


def _media_url(call: Call, video_id: UUID, name: str) -> str:
    token = call.services.media.token(video_id, user=call.caller.id, key=call.key_id)
    return call.services.api_url(call.request, f"/media/{token}/{video_id}/{name}")
