"""Search and similar videos, proxied to a search service of the test's own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from integration.gateway.conftest import Friends
from integration.gateway.world import INTERNAL_TOKEN, World, unknown


class SearchService:
    """The other side of SEARCH_URL: answers what the test says and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: Any = {"hits": [], "total": 0}
        self.status = 200

    async def handle(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == f"Bearer {INTERNAL_TOKEN}"
        self.asked.append(await request.json() | {"path": request.path})
        if isinstance(self.answer, bytes):
            return web.Response(body=self.answer, status=self.status)
        return web.json_response(self.answer, status=self.status)


@pytest.fixture
async def search(world: World) -> Any:
    service = SearchService()
    application = web.Application()
    application.router.add_post("/query/{what}", service.handle)
    async with TestServer(application) as server:
        client = world.gateway.services.search
        client._url = str(server.make_url("")).rstrip("/")
        yield service


def _hit(video_id: object, **more: Any) -> dict[str, Any]:
    hit = {
        "video_id": str(video_id),
        "start_s": 1.5,
        "end_s": 3.0,
        "text": "i need ammo",
        "marked": ["i need ", "ammo"],
    }
    return hit | more


async def test_search_lands_on_the_second(world: World, friends: Friends, search: SearchService) -> None:
    video_id = await world.ready(friends.uploader, friends.stream_id)
    search.answer = {"hits": [_hit(video_id)], "total": 47}
    answer = (await friends.viewer.get("/search?q=ammo&page=3")).json
    assert (answer["total_results"], answer["page"]) == (47, 3)
    (found,) = answer["videos"]
    assert (found["id"], found["snippet"], found["timestamp"]) == (str(video_id), "i need ammo", 1.5)
    (asked,) = search.asked
    assert asked == {
        "path": "/query/speech",
        "q": "ammo",
        "stream_ids": [friends.stream_id],
        "limit": 20,
        "offset": 40,
    }


async def test_search_asks_only_in_streams_the_caller_sees(
    world: World, friends: Friends, search: SearchService
) -> None:
    assert (await friends.outsider.get("/search?q=ammo")).json == {"videos": [], "total_results": 0, "page": 1}
    assert search.asked == []


async def test_a_hit_that_may_not_be_seen_is_not_shown(world: World, friends: Friends, search: SearchService) -> None:
    theirs = await world.stream(friends.outsider)
    hidden = await world.ready(friends.outsider, theirs)
    search.answer = {"hits": [_hit(hidden), _hit(unknown())], "total": 2}
    assert (await friends.viewer.get("/search?q=ammo")).json["videos"] == []


@pytest.mark.parametrize("query", ["", "?q=", "?q=%20%20", "?page=1"])
async def test_search_without_words(world: World, friends: Friends, query: str) -> None:
    answer = await friends.viewer.get(f"/search{query}")
    assert (answer.status, answer.error) == (400, "Search query required")


@pytest.mark.parametrize("query", ["?q=" + "a" * 300, "?q=%00", "?q=a&page=x", "?q=a&stream_id=x", "?q=a&mode=x"])
async def test_search_with_nonsense(world: World, friends: Friends, query: str) -> None:
    answer = await friends.viewer.get(f"/search{query}")
    assert answer.status == 400
    assert answer.json["details"]


@pytest.mark.parametrize("status", [401, 500, 503])
async def test_a_search_service_that_fails(world: World, friends: Friends, search: SearchService, status: int) -> None:
    search.status = status
    answer = await friends.viewer.get("/search?q=ammo")
    assert (answer.status, answer.error) == (503, "Search unavailable")


@pytest.mark.parametrize("nonsense", [b"", b"<html>", b"{}", b'{"hits": [{"video_id": "x"}], "total": 1}'])
async def test_a_search_service_that_talks_nonsense(
    world: World, friends: Friends, search: SearchService, nonsense: bytes
) -> None:
    search.answer = nonsense
    assert (await friends.viewer.get("/search?q=ammo")).status == 503


async def test_similar_videos(world: World, friends: Friends, search: SearchService) -> None:
    video_id = await world.ready(friends.uploader, friends.stream_id)
    other = await world.ready(friends.uploader, friends.stream_id)
    search.answer = {
        "videos": [{"video_id": str(other), "similarity": 0.9}, {"video_id": unknown(), "similarity": 0.8}]
    }
    answer = (await friends.viewer.get(f"/videos/{video_id}/similar")).json
    (similar,) = answer["similar_videos"]
    assert set(similar) == {"id", "title", "similarity", "thumbnail_url"}
    assert (UUID(similar["id"]), similar["similarity"]) == (other, 0.9)


async def test_similar_before_it_is_ready_and_without_pictures(
    world: World, friends: Friends, search: SearchService
) -> None:
    early = await world.uploaded(friends.uploader, friends.stream_id)
    answer = await friends.viewer.get(f"/videos/{early}/similar")
    assert (answer.status, answer.error) == (202, "Processing not complete")
    ready = await world.ready(friends.uploader, friends.stream_id)
    search.status = 404
    assert (await friends.viewer.get(f"/videos/{ready}/similar")).json == {"similar_videos": []}
