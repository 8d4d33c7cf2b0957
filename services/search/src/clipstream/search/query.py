"""Answers: who said this, at which second; what is similar to this clip. Only over the streams that the gateway names."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from clipstream.common.errors import Outage
from clipstream.common.vectors.index import Filter, Hit, VectorIndex
from clipstream.search.processor import (
    HEADLINE_END,
    HEADLINE_START,
    SimilarVideo,
    completions,
    fold_similar,
    sample_evenly,
)
from clipstream.search.repository import Repository
from clipstream.search.stage import of_video

HITS_PER_MOMENT = 50
TEXTS_PER_SUGGESTION = 200
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SpeechQuery(BaseModel):
    """`stream_ids` are those the asking user may see; nothing outside them is looked at."""

    q: Annotated[str, Field(min_length=1, max_length=10_000)]
    stream_ids: list[UUID]
    limit: Annotated[int, Field(ge=0, le=100)] = 20
    offset: Annotated[int, Field(ge=0, le=1_000_000_000_000)] = 0
    openings_of: Annotated[list[UUID], Field(max_length=5_000)] = Field(
        default=[], description="videos that are shown from second 0 on already"
    )


class SpeechHit(BaseModel):
    """`marked` is `text` cut into runs; odd ones are the words that matched."""

    video_id: UUID
    start_s: float
    end_s: float
    text: str
    marked: list[str]


class SpeechAnswer(BaseModel):
    hits: list[SpeechHit]
    total: int


class SuggestionQuery(BaseModel):
    """What somebody has typed so far. `stream_ids` as in `SpeechQuery`."""

    q: Annotated[str, Field(min_length=1, max_length=10_000)]
    stream_ids: list[UUID]
    limit: Annotated[int, Field(ge=1, le=100)] = 10


class SuggestionAnswer(BaseModel):
    phrases: list[str]


class SimilarQuery(BaseModel):
    video_id: UUID
    stream_ids: list[UUID]
    limit: Annotated[int, Field(ge=1, le=100)] = 10


class SimilarAnswer(BaseModel):
    videos: list[SimilarVideo]


class Queries:
    """The questions the gateway may ask."""

    def __init__(self, repository: Repository, index: VectorIndex) -> None:
        self._repository = repository
        self._index = index

    async def speech(self, query: SpeechQuery) -> SpeechAnswer:
        text = query.q.replace("\0", " ")
        found, total = await self._repository.spoken(
            text, query.stream_ids, limit=query.limit, offset=query.offset, openings_of=query.openings_of
        )
        hits = [
            SpeechHit(video_id=h.video_id, start_s=h.start_s, end_s=h.end_s, text=h.text, marked=runs(h.marked))
            for h in found
        ]
        return SpeechAnswer(hits=hits, total=total)

    async def suggestions(self, query: SuggestionQuery) -> SuggestionAnswer:
        texts = await self._repository.begun(query.q.replace("\0", " "), query.stream_ids, limit=TEXTS_PER_SUGGESTION)
        return SuggestionAnswer(phrases=await asyncio.to_thread(completions, texts, query.q, query.limit))

    async def similar(self, query: SimilarQuery) -> SimilarAnswer | None:
        """None where the video's pictures are not indexed yet."""
        collection = await self._repository.collection_of(query.video_id)
        if collection is None:
            return None
        own = await self._index.vectors_of(collection, of_video(query.video_id))
        moments = sample_evenly([point.vector for point in own])
        if not moments or not query.stream_ids:
            return SimilarAnswer(videos=[])
        where = Filter(
            match={"stream_id": [str(stream) for stream in query.stream_ids]},
            exclude={"video_id": [str(query.video_id)]},
        )
        found = await self._index.search_many(collection, moments, limit=HITS_PER_MOMENT, where=where)
        folded = await asyncio.to_thread(fold_similar, [[_video(hit) for hit in hits] for hits in found], query.limit)
        return SimilarAnswer(videos=folded)


def runs(marked: str) -> list[str]:
    """Text between sentinels as alternating runs: plain, found, plain, found, …"""
    return marked.replace(HEADLINE_END, HEADLINE_START).split(HEADLINE_START)


def _video(hit: Hit) -> tuple[UUID, float]:
    return UUID(str(hit.payload["video_id"])), hit.score


def routes(queries: Queries, token: str) -> list[web.RouteDef]:
    """The internal HTTP API, for the gateway alone: `Authorization: Bearer INTERNAL_TOKEN`."""

    async def speech(request: web.Request) -> web.StreamResponse:
        return _json(await queries.speech(SpeechQuery.model_validate_json(await request.read())))

    async def suggestions(request: web.Request) -> web.StreamResponse:
        return _json(await queries.suggestions(SuggestionQuery.model_validate_json(await request.read())))

    async def similar(request: web.Request) -> web.StreamResponse:
        answer = await queries.similar(SimilarQuery.model_validate_json(await request.read()))
        if answer is None:
            return web.json_response({"error": "not indexed yet"}, status=404)
        return _json(answer)

    asked = {"/query/speech": speech, "/query/suggestions": suggestions, "/query/similar": similar}
    return [web.post(path, _guarded(handler, token)) for path, handler in asked.items()]


def _guarded(handler: Handler, token: str) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), token.encode()):
            return web.json_response({"error": "Authentication required"}, status=401)
        try:
            return await handler(request)
        except ValidationError as error:
            details = error.json(include_url=False, include_input=False, include_context=False)
            return web.Response(text=details, status=400, content_type="application/json")
        except Outage as error:
            return web.json_response({"error": str(error)}, status=503)

    return answer


def _json(model: BaseModel) -> web.Response:
    return web.Response(text=model.model_dump_json(), content_type="application/json")
