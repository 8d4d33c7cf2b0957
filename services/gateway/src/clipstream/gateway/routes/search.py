"""Search over what the caller may see: what people wrote about videos, and what was said in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal
from uuid import UUID

from asyncpg import Record
from pydantic import BaseModel, Field

from clipstream.common.errors import Outage
from clipstream.gateway import access, headlines, views
from clipstream.gateway.access import Access
from clipstream.gateway.fields import Words
from clipstream.gateway.limits import Limit
from clipstream.gateway.problems import Problem, unavailable
from clipstream.gateway.repository import streams, texts, videos
from clipstream.gateway.routes.api import Call, Query, RouteTable
from clipstream.gateway.search import SpeechHit, SpeechHits

table = RouteTable("search")
PAGE_SIZE = 20
TITLES_MOST = 2_000  # videos found by title; nobody turns a hundred pages
_ERRORS = {400: "Search query required", 403: "Access denied", 404: "Stream not found"}
Part = Literal["speech"]


class SearchQuery(Query):
    q: Words = ""
    stream_id: UUID | None = None
    page: int = Field(default=1, ge=1, le=500)
    mode: Literal["all", "speech", "title"] = Field(default="all", description="`title` means tags and description too")


class Found(BaseModel):
    """A place in a video: where it was said (`speech`), or its beginning where something written about it was found
    (`title`). It lasts from second `timestamp` to second `end`. `marked` is the snippet cut into runs; odd ones are the
    words that were found."""

    kind: Literal["title", "speech"]
    id: UUID
    stream_id: UUID
    title: str
    snippet: str
    marked: list[str]
    timestamp: float
    end: float
    thumbnail_url: str


class SearchResult(BaseModel):
    """Titles first, then speech, each the best first. `incomplete` names what could not be looked into just now."""

    videos: list[Found]
    total_results: int
    page: int
    incomplete: list[Part]


@table.route("GET", "/search", access=Access.USER, errors=_ERRORS | {503: "Search unavailable"}, limit=Limit.SEARCH)
async def search(call: Call, query: SearchQuery) -> SearchResult:
    """What was written or said, in which video, at which second"""
    visible = await visible_streams(call, query.q, query.stream_id)
    first = (query.page - 1) * PAGE_SIZE
    written = [] if query.mode == "speech" or not visible else await _written(call, query)
    ids = written[first : first + PAGE_SIZE]
    said, incomplete = await _said(
        call, query, visible, limit=PAGE_SIZE - len(ids), offset=max(0, first - len(written)), written=written
    )
    rows = await videos.by_ids(call.services.pool, [*ids, *(hit.video_id for hit in said.hits)])
    marks = {mark["id"]: mark for mark in await texts.marked(call.services.pool, call.caller.id, query.q, ids)}
    return SearchResult(
        videos=[
            *(_by_text(rows[one], marks[one]) for one in ids if one in marks and one in rows),
            *(_by_speech(rows[hit.video_id], hit) for hit in said.hits if _may_see(hit, rows, visible)),
        ],
        total_results=len(written) + said.total,
        page=query.page,
        incomplete=incomplete,
    )


async def visible_streams(call: Call, q: str, stream_id: UUID | None) -> list[UUID]:
    """The streams that are looked into; refused without words, or where one is named that the caller may not see."""
    if not q:
        raise Problem(400, "Search query required")
    if stream_id is None:
        return await streams.ids_of_user(call.services.pool, call.caller.id)
    await access.to_stream(call.services.pool, Access.VIEWER, stream_id, call.caller.id)
    return [stream_id]


async def _written(call: Call, query: SearchQuery) -> Sequence[UUID]:
    return await texts.found(call.services.pool, call.caller.id, query.q, query.stream_id, limit=TITLES_MOST)


async def _said(
    call: Call, query: SearchQuery, visible: list[UUID], *, limit: int, offset: int, written: Sequence[UUID]
) -> tuple[SpeechHits, list[Part]]:
    """What the search service finds beyond videos that are shown from their beginning on already. Where it does not
    answer, titles alone are better than nothing, if titles were asked for."""
    if query.mode == "title" or not visible:
        return SpeechHits(hits=[], total=0), []
    try:
        return await call.services.search.speech(query.q, visible, limit=limit, offset=offset, openings_of=written), []
    except Outage as error:
        if query.mode == "speech":
            raise unavailable("Search unavailable", str(error)) from error
        return SpeechHits(hits=[], total=0), ["speech"]


def _may_see(hit: SpeechHit, rows: Mapping[UUID, Record], visible: list[UUID]) -> bool:
    """The search service was told; this is looked at again all the same."""
    row = rows.get(hit.video_id)
    return row is not None and row["stream_id"] in visible


def _by_speech(row: Record, hit: SpeechHit) -> Found:
    return _found(row, "speech", hit.marked, timestamp=hit.start_s, end=hit.end_s)


def _by_text(row: Record, marks: Record) -> Found:
    """Shown is the first of title, tags and description in which words were found."""
    written = {"title": row["title"], "tags": ", ".join(row["tags"]), "description": row["description"]}
    marked = [headlines.runs(text, marks[name]) for name, text in written.items()]
    chosen = next((runs for runs in marked if len(runs) > 1), marked[0])
    return _found(row, "title", headlines.excerpt(chosen), timestamp=0.0, end=0.0)


def _found(row: Record, kind: Literal["title", "speech"], marked: list[str], *, timestamp: float, end: float) -> Found:
    return Found(
        kind=kind,
        id=row["id"],
        stream_id=row["stream_id"],
        title=row["title"],
        snippet="".join(marked),
        marked=marked,
        timestamp=timestamp,
        end=end,
        thumbnail_url=views.thumbnail_url(row["id"]),
    )
