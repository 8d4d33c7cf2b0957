"""Shares as members make, list and revoke them, and what a revoked one still opens: nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from clipstream.common.contracts.ids import VideoId
from clipstream.gateway.auth import hash_token
from integration.gateway.conftest import Friends, make_friends
from integration.gateway.world import World, eventually

REVOKED_WITHIN_S = 5.0


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture(scope="module")
async def friends(shared_world: World) -> Friends:
    return await make_friends(shared_world)


@pytest.fixture
async def video_id(world: World, friends: Friends) -> VideoId:
    return await world.ready(friends.uploader, friends.stream_id)


async def _share(who: Any, video_id: VideoId, **terms: Any) -> dict[str, Any]:
    answer = await who.post(f"/videos/{video_id}/share", terms)
    assert answer.status == 201, answer.raw
    made: dict[str, Any] = answer.json
    return made


async def test_a_share_for_ever(world: World, friends: Friends, video_id: VideoId) -> None:
    made = await _share(friends.creator, video_id)
    assert re.fullmatch(r"[A-Za-z0-9_-]{24}", made["code"])
    assert made["share_url"] == f"{world.base}/share/{made['code']}"
    assert made["embed_url"] == f"{made['share_url']}/embed"
    assert (made["expires_at"], made["has_password"], made["start_time"]) == (None, False, 0)
    assert (await world.nobody.get(made["share_url"])).status == 200
    bare = await friends.creator.post(f"/videos/{video_id}/share")
    assert (bare.status, bare.json["expires_at"]) == (201, None)


async def test_the_code_is_not_in_the_database(world: World, friends: Friends, video_id: VideoId) -> None:
    made = await _share(friends.creator, video_id, password="hunter2 and more")
    (row,) = await world.rows("shares", video_id=video_id)
    assert row["hash"] == hash_token(made["code"])
    kept = " ".join(str(value) for value in row.values())
    assert made["code"] not in kept
    assert "hunter2" not in kept
    assert row["password"].startswith("scrypt$15$8$3$")


async def test_terms(friends: Friends, video_id: VideoId) -> None:
    at = datetime.now(UTC) + timedelta(days=1)
    made = await _share(friends.creator, video_id, expires_at=at.isoformat(), start_time=12.5)
    assert datetime.fromisoformat(made["expires_at"]) == at
    assert made["start_time"] == 12.5
    soon = await _share(friends.creator, video_id, expires_in=60)
    assert (
        timedelta(seconds=50) < datetime.fromisoformat(soon["expires_at"]) - datetime.now(UTC) <= timedelta(minutes=1)
    )


@pytest.mark.parametrize(
    "terms",
    [
        {"expires_in": 0},
        {"expires_in": -1},
        {"expires_in": 10**12},
        {"expires_in": "soon"},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2030-01-01T00:00:00"},
        {"expires_at": "9999-12-31T23:59:59Z"},
        {"expires_in": 5, "expires_at": "2100-01-01T00:00:00Z"},
        {"start_time": -1},
        {"start_time": 1e9},
        {"start_time": 29.6},
        {"start_time": "NaN"},
        {"password": ""},
        {"password": "x" * 513},
        {"password": 5},
        {"code": "mine"},
        {"video_id": str(uuid4())},
    ],
)
async def test_bad_terms(friends: Friends, video_id: VideoId, terms: dict[str, Any]) -> None:
    answer = await friends.creator.post(f"/videos/{video_id}/share", terms)
    assert (answer.status, answer.error) == (400, "Invalid share parameters")
    assert answer.json["details"]


async def test_who_sees_which(friends: Friends, video_id: VideoId) -> None:
    mine = await _share(friends.creator, video_id)
    other = await _share(friends.uploader, video_id)
    for who, seen in [
        (friends.creator, [mine["code"]]),
        (friends.viewer, []),
        (friends.admin, [other["code"], mine["code"]]),
    ]:
        listed = (await who.get(f"/videos/{video_id}/shares")).json
        assert [share["code"] for share in listed["shares"]] == seen
        assert listed["total_shares"] == 2
    assert (await friends.admin.get(f"/videos/{video_id}/shares")).json["shares"][0]["created_by"]["name"] == "uploader"


async def test_pages_of_shares(friends: Friends, video_id: VideoId) -> None:
    made = [(await _share(friends.creator, video_id))["code"] for _ in range(5)]
    seen: list[str] = []
    query = "?limit=2"
    while query:
        page = (await friends.admin.get(f"/videos/{video_id}/shares{query}")).json
        seen += [share["code"] for share in page["shares"]]
        query = f"?limit=2&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert seen == made[::-1]


async def test_who_may_revoke(world: World, friends: Friends, video_id: VideoId) -> None:
    mine, another = (await _share(friends.creator, video_id))["code"], (await _share(friends.creator, video_id))["code"]
    unknown = await friends.uploader.ask("DELETE", "/shares/AAAAAAAAAAAAAAAAAAAAAAAA")
    for who in (friends.uploader, friends.viewer, friends.outsider, friends.revoked, friends.site_admin):
        refused = await who.ask("DELETE", f"/shares/{mine}")
        assert (refused.status, refused.raw) == (404, unknown.raw)
    assert (await friends.creator.ask("DELETE", f"/shares/{mine}")).status == 204
    assert (await friends.creator.ask("DELETE", f"/shares/{mine}")).error == "Share not found"
    assert (await friends.admin.ask("DELETE", f"/shares/{another}")).status == 204
    listed = (await friends.admin.get(f"/videos/{video_id}/shares")).json
    assert (listed["total_shares"], listed["shares"]) == (0, [])


async def test_an_admin_of_another_stream_revokes_nothing_here(
    world: World, friends: Friends, video_id: VideoId
) -> None:
    code = (await _share(friends.creator, video_id))["code"]
    await world.stream(friends.outsider)
    assert (await friends.outsider.ask("DELETE", f"/shares/{code}")).status == 404


async def test_an_expired_share_is_in_no_list(world: World, friends: Friends, video_id: VideoId) -> None:
    code = (await _share(friends.creator, video_id, expires_in=60))["code"]
    await world.pool.execute("UPDATE shares SET expires_at = now() WHERE hash = $1", hash_token(code))
    assert (await friends.admin.get(f"/videos/{video_id}/shares")).json["total_shares"] == 0
    assert (await world.nobody.get(f"/share/{code}")).status == 404


async def test_revoking_ends_what_is_playing(world: World, friends: Friends, video_id: VideoId) -> None:
    made = await _share(friends.creator, video_id)
    page = (await world.nobody.get(made["share_url"])).raw.decode()
    found = re.search(r'data-hls="([^"]+)"', page)
    assert found is not None
    playlist = found[1]
    assert (await world.nobody.get(playlist)).status == 200
    other = await world.ready(friends.uploader, friends.stream_id)
    assert (await world.nobody.get(playlist.replace(str(video_id), str(other)))).status == 403
    assert (await friends.creator.ask("DELETE", f"/shares/{made['code']}")).status == 204

    async def refused() -> bool:
        return (await world.nobody.get(playlist)).status == 403

    await eventually(refused, within_s=REVOKED_WITHIN_S)
    assert (await world.nobody.get(made["share_url"])).status == 404
    assert (await world.nobody.get(f"/share/{made['code']}/thumbnail")).status == 404


@pytest.mark.parametrize("role", [None, "viewer"])
async def test_a_share_is_as_good_as_its_makers_standing(
    world: World, friends: Friends, video_id: VideoId, role: str | None
) -> None:
    """Who was removed has no way back in through a code of their own."""
    maker = await world.person(f"soon {role}")
    await world.join(friends.stream_id, maker, "creator")
    made = await _share(maker, video_id)
    assert (await world.nobody.get(made["share_url"])).status == 200
    if role is None:
        await world.pool.execute("DELETE FROM members WHERE user_id = $1", maker.user_id)
    else:
        await world.join(friends.stream_id, maker, role)
    assert (await world.nobody.get(made["share_url"])).status == 404
    assert (await friends.admin.get(f"/videos/{video_id}/shares")).json["shares"] == []


async def test_a_share_goes_with_its_video(world: World, friends: Friends, video_id: VideoId) -> None:
    made = await _share(friends.creator, video_id)
    await friends.uploader.ask("DELETE", f"/videos/{video_id}")
    assert (await world.nobody.get(made["share_url"])).status == 404
    assert (await friends.creator.ask("DELETE", f"/shares/{made['code']}")).status == 404


async def test_a_repeated_request_makes_one_share(friends: Friends, video_id: VideoId) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    first = await friends.creator.post(f"/videos/{video_id}/share", {}, headers=key)
    again = await friends.creator.post(f"/videos/{video_id}/share", {}, headers=key)
    assert first.json["code"] == again.json["code"]
    assert (await friends.creator.get(f"/videos/{video_id}/shares")).json["total_shares"] == 1
