"""What people say about a video: who may, what is taken, and nobody overwrites what they have not seen."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from integration.gateway.conftest import Friends
from integration.gateway.world import Answer, Somebody, World, eventually


async def _put(who: Somebody, video_id: object, body: Any, **headers: str) -> Answer:
    return await who.ask("PUT", f"/videos/{video_id}", json=body, headers=headers)


async def test_what_is_given_changes_and_the_rest_stays(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id, title="clip")
    await world.pool.execute("INSERT INTO likes VALUES ($1, $2)", video_id, friends.viewer.user_id)
    changed = await _put(friends.uploader, video_id, {"description": "Round 3.\nLast alive.", "tags": ["Clutch"]})
    assert changed.status == 200
    assert changed.json == (await friends.viewer.get(f"/videos/{video_id}")).json
    told = {name: changed.json[name] for name in ("title", "description", "tags", "total_likes")}
    assert told == {"title": "clip", "description": "Round 3.\nLast alive.", "tags": ["Clutch"], "total_likes": 1}
    changed = await _put(friends.admin, video_id, {"title": " Ace ", "description": None})
    assert (changed.json["title"], changed.json["description"]) == ("Ace", "Round 3.\nLast alive.")
    emptied = await _put(friends.uploader, video_id, {"description": "", "tags": []})
    assert (emptied.json["title"], emptied.json["description"], emptied.json["tags"]) == ("Ace", "", [])


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["Clutch", "clutch", "CLUTCH"], ["Clutch"]),
        ([" two   words ", "Two Words"], ["two words"]),
        (["b", "a", "b"], ["b", "a"]),
        (["Straße", "STRASSE"], ["Straße"]),
        (["🎮", "'; DROP TABLE videos;--"], ["🎮", "'; DROP TABLE videos;--"]),
        ([str(n) for n in range(20)], [str(n) for n in range(20)]),
    ],
)
async def test_tags_are_kept_once_as_they_were_written(
    world: World, friends: Friends, given: list[str], kept: list[str]
) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    assert (await _put(friends.uploader, video_id, {"tags": given})).json["tags"] == kept


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"title": ""},
        {"title": "  "},
        {"title": "t" * 201},
        {"title": "a\nb"},
        {"title": "a\u202eb"},
        {"title": 5},
        {"description": "d" * 2001},
        {"description": "a\0b"},
        {"tags": "clutch"},
        {"tags": [""]},
        {"tags": ["t" * 41]},
        {"tags": [None]},
        {"tags": ["a\tb"]},
        {"tags": [str(n) for n in range(21)]},
        {"status": "ready"},
        {"uploader_id": str(uuid4())},
        {"Title": "x"},
    ],
)
async def test_what_is_not_taken_changes_nothing(world: World, friends: Friends, body: Any) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    before = await friends.viewer.get(f"/videos/{video_id}")
    answer = await _put(friends.uploader, video_id, body)
    assert (answer.status, answer.error) == (400, "Invalid video data")
    assert answer.json["details"]
    assert (await friends.viewer.get(f"/videos/{video_id}")).raw == before.raw


async def test_a_version_that_was_not_seen_is_not_overwritten(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    seen = (await friends.admin.get(f"/videos/{video_id}")).headers["ETag"]
    assert (await _put(friends.uploader, video_id, {"title": "mine"}, **{"If-Match": seen})).status == 200
    refused = await _put(friends.admin, video_id, {"title": "theirs"}, **{"If-Match": seen})
    assert (refused.status, refused.error) == (412, "Precondition failed")
    now = await friends.admin.get(f"/videos/{video_id}")
    assert now.json["title"] == "mine"
    for good in (now.headers["ETag"], f'"other", {now.headers["ETag"]}', "*"):
        assert (await _put(friends.admin, video_id, {"title": "mine"}, **{"If-Match": good})).status == 200
    assert (await _put(friends.admin, video_id, {}, **{"If-Match": f"W/{now.headers['ETag']}"})).status == 412


async def test_a_change_that_comes_in_between_is_not_overwritten(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    seen = (await friends.admin.get(f"/videos/{video_id}")).headers["ETag"]

    async def waiting() -> bool:
        asked = "SELECT true FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return bool(await world.pool.fetchval(asked))

    async with world.pool.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE videos SET title = 'first' WHERE id = $1", video_id)
        late = asyncio.ensure_future(_put(friends.admin, video_id, {"title": "late"}, **{"If-Match": seen}))
        await eventually(waiting)
    assert (await late).status == 412
    assert (await friends.viewer.get(f"/videos/{video_id}")).json["title"] == "first"


async def test_watchers_hear_of_a_change_and_of_nothing_else(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)

    async def stand() -> tuple[int, Any]:
        (row,) = await world.rows("videos", id=video_id)
        return row["revision"], row["changed_at"]

    before = await stand()
    await _put(friends.uploader, video_id, {"title": "clip", "tags": []})
    assert await stand() == before
    with world.gateway.services.feed.watch_video(video_id) as subscription:
        await _put(friends.uploader, video_id, {"title": "another"})
        assert await subscription.wait(5) == ({video_id}, [])
    after = await stand()
    assert after[0] == before[0] + 1
    assert after[1] > before[1]
