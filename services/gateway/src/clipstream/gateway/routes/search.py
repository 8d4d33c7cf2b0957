"""Search over what the caller may see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from uuid import UUID

from asyncpg import Record
from pydantic import BaseModel, Field

from clipstream.common.errors import Outage
from clipstream.gateway import access, views
from clipstream.gateway.access import Access
from clipstream.gateway.fields import Words
from clipstream.gateway.limits import Limit
from clipstream.gateway.problems import Problem, unavailable
from clipstream.gateway.repository import streams, videos
from clipstream.gateway.routes.api import Call, Query, RouteTable
from clipstream.gateway.search import SpeechHit

table = RouteTable("search")
PAGE_SIZE = 20


class SearchQuery(Query):
    q: Words = ""
    stream_id: UUID | None = None
    page: int = Field(default=1, ge=1, le=500)
    mode: Literal["speech"] = "speech"


class Found(BaseModel):
    """A place in a video where it was said: `timestamp` is the second it begins. `marked` is the snippet cut into
    runs; odd ones are the words that were found."""

    id: UUID
    stream_id: UUID
    title: str
    snippet: str
    marked: list[str]
    timestamp: float
    end: float
    thumbnail_url: str


class SearchResult(BaseModel):
    videos: list[Found]
    total_results: int
    page: int


@table.route(
    "GET",
    "/search",
    access=Access.USER,
    limit=Limit.SEARCH,
    errors={400: "Search query required", 403: "Access denied", 404: "Stream not found", 503: "Search unavailable"},
)
async def search(call: Call, query: SearchQuery) -> SearchResult:
    """Who said this, in which video, at which second"""
    if not query.q:
        raise Problem(400, "Search query required")
    visible = await _visible(call, query.stream_id)
    if not visible:
        return SearchResult(videos=[], total_results=0, page=query.page)
    try:
        answer = await call.services.search.speech(
            query.q, visible, limit=PAGE_SIZE, offset=(query.page - 1) * PAGE_SIZE
        )
    except Outage as error:
        raise unavailable("Search unavailable", str(error)) from error
    rows = await videos.by_ids(call.services.pool, [hit.video_id for hit in answer.hits])
    found = [_found(hit, rows) for hit in answer.hits if _may_see(hit, rows, visible)]
    return SearchResult(videos=found, total_results=answer.total, page=query.page)


async def _visible(call: Call, stream_id: UUID | None) -> list[UUID]:
    if stream_id is None:
        return await streams.ids_of_user(call.services.pool, call.caller.id)
    await access.to_stream(call.services.pool, Access.VIEWER, stream_id, call.caller.id)
    return [stream_id]


def _may_see(hit: SpeechHit, rows: Mapping[UUID, Record], visible: list[UUID]) -> bool:
    """The search service was told; this is looked at again all the same."""
    row = rows.get(hit.video_id)
    return row is not None and row["stream_id"] in visible


def _found(hit: SpeechHit, rows: Mapping[UUID, Record]) -> Found:
    row = rows[hit.video_id]
    return Found(
        id=hit.video_id,
        stream_id=row["stream_id"],
        title=row["title"],
        snippet=hit.text,
        marked=hit.marked,
        timestamp=hit.start_s,
        end=hit.end_s,
        thumbnail_url=views.thumbnail_url(hit.video_id),
    )
