"""How a video relates to the others of its stream: copies, cuts, points of view, look-alikes, and all of it on a timeline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from asyncpg import Record
from pydantic import BaseModel, Field

from clipstream.common.errors import Outage
from clipstream.gateway import views
from clipstream.gateway.access import Access
from clipstream.gateway.playing import original_of
from clipstream.gateway.problems import Problem, unavailable
from clipstream.gateway.repository import matches, videos
from clipstream.gateway.routes.api import Call, Reply, RouteTable, VideoPath
from clipstream.gateway.routes.paging import PageQuery
from clipstream.gateway.views import NotComplete, Person, fact

table = RouteTable("intelligence")
SIMILAR_LIMIT = 20
SOURCES_LIMIT = 20


class OriginalVideo(BaseModel):
    id: UUID
    title: str
    uploaded_by: Person
    uploaded_at: datetime


class Duplicate(BaseModel):
    """The video is a copy of one that was there before. `kind` says whether the files are equal or only their content."""

    is_duplicate: Literal[True] = True
    original_video: OriginalVideo
    kind: Literal["identical", "remuxed"]
    similarity: float


class SimilarVideo(BaseModel):
    id: UUID
    title: str
    similarity: float
    thumbnail_url: str


class SimilarVideos(BaseModel):
    similar_videos: list[SimilarVideo]


class Trim(BaseModel):
    """Two videos of which one holds the other, from `start_time` on for `duration` seconds of the longer one."""

    id: UUID
    title: str
    start_time: float
    duration: float
    similarity: float
    thumbnail_url: str


class Trims(BaseModel):
    """`trimmed_clips` lie on this video's timeline; in `cut_from` the place is on the timeline of the video named."""

    trimmed_clips: list[Trim]
    cut_from: list[Trim]
    next_cursor: str | None


class PointOfView(BaseModel):
    """Another recording of the same moment: second t of this video is second t + `offset` of the other."""

    id: UUID
    title: str
    offset: float
    confidence: float = Field(description="0..1")
    duration: float | None
    uploaded_by: Person
    thumbnail_url: str


class PointsOfView(BaseModel):
    povs: list[PointOfView]
    next_cursor: str | None


@table.route("GET", "/videos/{video_id}/duplicates", access=Access.VIEWER, errors={404: "Not a duplicate video"})
async def get_duplicate(call: Call, path: VideoPath) -> Duplicate:
    """Which video this one is a copy of"""
    row = call.found
    original = await original_of(call.services.pool, row)
    if original is None:
        raise Problem(404, "Not a duplicate video")
    found = fact(row, "duplicate")
    return Duplicate(
        original_video=OriginalVideo(
            id=original["id"],
            title=original["title"],
            uploaded_by=views.uploader(original),
            uploaded_at=original["uploaded_at"] or original["created_at"],
        ),
        kind=found["kind"],
        similarity=found["similarity"],
    )


@table.route("GET", "/videos/{video_id}/trimmed", access=Access.VIEWER)
async def list_trimmed(call: Call, path: VideoPath, query: PageQuery) -> Trims:
    """Clips cut from this video, newest first, and the videos it was cut from itself"""
    pool = call.services.pool
    inside = await matches.cut_from_it(pool, path.video_id, limit=query.one_more, after=query.after)
    around = await matches.it_was_cut_from(pool, path.video_id, limit=SOURCES_LIMIT)
    return Trims(
        trimmed_clips=[trim(row) for row in query.shown(inside)],
        cut_from=[trim(row) for row in around],
        next_cursor=query.next_cursor(inside),
    )


@table.route("GET", "/videos/{video_id}/pov", access=Access.VIEWER)
async def list_povs(call: Call, path: VideoPath, query: PageQuery) -> PointsOfView:
    """Other points of view of the same moment, newest first"""
    rows = await matches.points_of_view(call.services.pool, path.video_id, limit=query.one_more, after=query.after)
    return PointsOfView(povs=[pov(row) for row in query.shown(rows)], next_cursor=query.next_cursor(rows))


@table.route(
    "GET",
    "/videos/{video_id}/similar",
    access=Access.VIEWER,
    also={202: NotComplete},
    errors={503: "Search unavailable"},
)
async def list_similar(call: Call, path: VideoPath) -> SimilarVideos | Reply:
    """Videos of the same stream that look alike: verified ones first, then the most similar pictures"""
    row = call.found
    if row["status"] in ("uploading", "processing"):
        return Reply(NotComplete(processing_index=row["processing_index"]), status=202)
    known = [
        _similar(r, r["similarity"]) for r in await matches.similar(call.services.pool, row["id"], limit=SIMILAR_LIMIT)
    ]
    if row["status"] != "ready" or len(known) == SIMILAR_LIMIT:
        return SimilarVideos(similar_videos=known)
    try:
        alike = await _alike(call, path.video_id)
    except Outage as error:
        if not known:
            raise unavailable("Search unavailable", str(error)) from error
        alike = []
    seen = {video.id for video in known}
    more = [video for video in alike if video.id not in seen]
    return SimilarVideos(similar_videos=[*known, *more][:SIMILAR_LIMIT])


async def _alike(call: Call, video_id: UUID) -> Sequence[SimilarVideo]:
    """What the search service finds. It was told the stream; this is looked at again all the same."""
    stream_id = call.standing.stream_id
    answer = await call.services.search.similar(video_id, [stream_id], limit=SIMILAR_LIMIT)
    rows = await videos.by_ids(call.services.pool, [hit.video_id for hit in answer.videos])
    return [
        _similar(row, hit.similarity)
        for hit in answer.videos
        if (row := rows.get(hit.video_id)) is not None and row["stream_id"] == stream_id and row["id"] != video_id
    ]


def _similar(row: Record, similarity: float) -> SimilarVideo:
    return SimilarVideo(
        id=row["id"], title=row["title"], similarity=similarity, thumbnail_url=views.thumbnail_url(row["id"])
    )


def trim(row: Record) -> Trim:
    return Trim(
        id=row["id"],
        title=row["title"],
        start_time=row["start_time"],
        duration=row["duration"],
        similarity=row["similarity"],
        thumbnail_url=views.thumbnail_url(row["id"]),
    )


def pov(row: Record) -> PointOfView:
    return PointOfView(
        id=row["id"],
        title=row["title"],
        offset=row["offset_s"],
        confidence=row["confidence"],
        duration=row["duration_s"],
        uploaded_by=views.uploader(row),
        thumbnail_url=views.thumbnail_url(row["id"]),
    )
