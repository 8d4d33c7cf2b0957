"""Search and similar videos where the search service answers oddly, late or not at all: one of the test's own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from integration.gateway.conftest import Friends
from integration.gateway.test_matches import match
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
    answer = (await friends.viewer.get("/search?q=ammo&page=3&mode=speech")).json
    assert (answer["total_results"], answer["page"], answer["incomplete"]) == (47, 3, [])
    (found,) = answer["videos"]
    assert (found["kind"], found["id"], found["snippet"], found["timestamp"]) == (
        "speech",
        str(video_id),
        "i need ammo",
        1.5,
    )
    (asked,) = search.asked
    assert asked == {
        "path": "/query/speech",
        "q": "ammo",
        "stream_ids": [friends.stream_id],
        "limit": 20,
        "offset": 40,
        "openings_of": [],
    }


async def test_search_asks_only_in_streams_the_caller_sees(
    world: World, friends: Friends, search: SearchService
) -> None:
    nothing = {"videos": [], "total_results": 0, "page": 1, "incomplete": []}
    assert (await friends.outsider.get("/search?q=ammo")).json == nothing
    assert (await friends.outsider.get("/search/suggestions?q=ammo")).json == {"suggestions": [], "incomplete": []}
    assert search.asked == []


async def test_a_hit_that_may_not_be_seen_is_not_shown(world: World, friends: Friends, search: SearchService) -> None:
    theirs = await world.stream(friends.outsider)
    hidden = await world.ready(friends.outsider, theirs)
    search.answer = {"hits": [_hit(hidden), _hit(unknown())], "total": 2}
    assert (await friends.viewer.get("/search?q=ammo")).json["videos"] == []


@pytest.mark.parametrize("route", ["/search", "/search/suggestions"])
@pytest.mark.parametrize("query", ["", "?q=", "?q=%20%20", "?page=1"])
async def test_search_without_words(world: World, friends: Friends, route: str, query: str) -> None:
    answer = await friends.viewer.get(f"{route}{query}")
    assert (answer.status, answer.error) == (400, "Search query required")


@pytest.mark.parametrize("query", ["?q=" + "a" * 300, "?q=%00", "?q=a&page=x", "?q=a&stream_id=x", "?q=a&mode=x"])
async def test_search_with_nonsense(world: World, friends: Friends, query: str) -> None:
    answer = await friends.viewer.get(f"/search{query}")
    assert answer.status == 400
    assert answer.json["details"]


async def _without_speech(world: World, friends: Friends) -> None:
    """Speech alone is refused; titles are found all the same, and the answer says what it lacks."""
    video_id = await world.uploaded(friends.uploader, friends.stream_id, title="out of ammo")
    refused = await friends.viewer.get("/search?q=ammo&mode=speech")
    assert (refused.status, refused.error) == (503, "Search unavailable")
    found = (await friends.viewer.get("/search?q=ammo")).json
    assert ([video["id"] for video in found["videos"]], found["total_results"]) == ([str(video_id)], 1)
    assert found["incomplete"] == ["speech"]
    assert (await friends.viewer.get("/search?q=ammo&mode=title")).json["incomplete"] == []
    begun = (await friends.viewer.get("/search/suggestions?q=amm")).json
    assert begun == {"suggestions": [{"text": "out of ammo", "kind": "title"}], "incomplete": ["speech"]}


async def test_no_search_service_at_all(world: World, friends: Friends) -> None:
    await _without_speech(world, friends)


@pytest.mark.parametrize("status", [401, 500, 503])
async def test_a_search_service_that_fails(world: World, friends: Friends, search: SearchService, status: int) -> None:
    search.status = status
    await _without_speech(world, friends)


@pytest.mark.parametrize("nonsense", [b"", b"<html>", b"{}", b'{"hits": [{"video_id": "x"}], "total": 1}'])
async def test_a_search_service_that_talks_nonsense(
    world: World, friends: Friends, search: SearchService, nonsense: bytes
) -> None:
    search.answer = nonsense
    await _without_speech(world, friends)


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


async def test_verified_look_alikes_come_first_and_once(world: World, friends: Friends, search: SearchService) -> None:
    video_id, verified, seen = [await world.ready(friends.uploader, friends.stream_id) for _ in range(3)]
    await match(world, verified, video_id, "similar", similarity=0.5)
    search.answer = {"videos": [{"video_id": str(v), "similarity": 0.9} for v in (seen, verified, video_id)]}
    similar = (await friends.viewer.get(f"/videos/{video_id}/similar")).json["similar_videos"]
    assert [(UUID(v["id"]), v["similarity"]) for v in similar] == [(verified, 0.5), (seen, 0.9)]
    search.status = 503
    similar = (await friends.viewer.get(f"/videos/{video_id}/similar")).json["similar_videos"]
    assert [UUID(v["id"]) for v in similar] == [verified]


async def test_similar_before_it_is_ready_and_without_pictures(
    world: World, friends: Friends, search: SearchService
) -> None:
    early = await world.uploaded(friends.uploader, friends.stream_id)
    answer = await friends.viewer.get(f"/videos/{early}/similar")
    assert (answer.status, answer.error) == (202, "Processing not complete")
    ready = await world.ready(friends.uploader, friends.stream_id)
    search.status = 404
    assert (await friends.viewer.get(f"/videos/{ready}/similar")).json == {"similar_videos": []}
