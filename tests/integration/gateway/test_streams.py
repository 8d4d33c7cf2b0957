"""Streams: changed by admins, given away and deleted by their owner, with all that is in them."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from clipstream.common.contracts import keys
from clipstream.common.contracts.events import ClipDeleted
from clipstream.common.contracts.ids import EventId, derived_event_id
from clipstream.gateway import purging
from integration.gateway.conftest import Friends
from integration.gateway.world import Somebody, World, unknown

MANY = 2000


async def _change(who: Somebody, stream_id: str, body: Any, **headers: str) -> tuple[int, Any]:
    answer = await who.ask("PUT", f"/streams/{stream_id}", json=body, headers=headers)
    return answer.status, answer.json


async def test_what_is_not_named_stays(world: World, friends: Friends) -> None:
    address = f"/streams/{friends.stream_id}"
    assert (await _change(friends.admin, friends.stream_id, {"description": "Games\non Fridays"}))[0] == 200
    status, changed = await _change(friends.admin, friends.stream_id, {"name": "  Saturday 🎮 "})
    assert (status, changed["name"], changed["description"]) == (200, "Saturday 🎮", "Games\non Fridays")
    assert changed == (await friends.admin.get(address)).json
    assert (await _change(friends.admin, friends.stream_id, {"description": ""}))[1]["description"] == ""
    assert (await _change(friends.admin, friends.stream_id, {}))[1]["name"] == "Saturday 🎮"


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": " \t "},
        {"name": None},
        {"description": None},
        {"name": 5},
        {"name": ["a"]},
        {"name": "a" * 101},
        {"description": "a" * 2001},
        {"name": "line\nbreak"},
        {"name": "nul\0"},
        {"name": "\u202egnp.exe"},
        {"name": "\u2028"},
        {"name": "ok", "role": "admin"},
        {"name": "ok", "owner_id": "00000000-0000-0000-0000-000000000000"},
        {"name": "ok", "id": "00000000-0000-0000-0000-000000000000"},
        {"name": "ok", "status": "ready"},
        {"name": "ok", "created_at": "2000-01-01T00:00:00Z"},
        {"name": "ok", "settings": {}},
        {"Name": "ok"},
        [],
        "name",
    ],
)
async def test_what_is_refused_changes_nothing(world: World, friends: Friends, body: Any) -> None:
    before = await world.rows("streams")
    status, answer = await _change(friends.owner, friends.stream_id, body)
    assert (status, answer["error"]) == (400, "Invalid stream data")
    assert answer["details"]
    assert await world.rows("streams") == before
    if isinstance(body, dict) and "name" in body:
        made = await friends.owner.post("/streams", body)
        assert (made.status, made.error) == (400, "Invalid stream data")


async def test_a_lone_surrogate_is_no_text(world: World, friends: Friends) -> None:
    answer = await friends.owner.ask(
        "PUT",
        f"/streams/{friends.stream_id}",
        data=b'{"name": "\\ud800"}',
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status, answer.error) == (400, "Invalid stream data")


async def test_a_change_on_condition(world: World, friends: Friends) -> None:
    seen = (await friends.admin.get(f"/streams/{friends.stream_id}")).headers["ETag"]
    assert (await _change(friends.admin, friends.stream_id, {"name": "First"}, **{"If-Match": seen}))[0] == 200
    status, answer = await _change(friends.admin, friends.stream_id, {"name": "Second"}, **{"If-Match": seen})
    assert (status, answer["error"]) == (412, "Precondition failed")
    assert (await friends.admin.get(f"/streams/{friends.stream_id}")).json["name"] == "First"
    assert (await _change(friends.admin, friends.stream_id, {"name": "Third"}, **{"If-Match": "*"}))[0] == 200


async def test_of_many_who_saw_the_same_one_changes_it(world: World, friends: Friends) -> None:
    looks = await asyncio.gather(*(friends.admin.get(f"/streams/{friends.stream_id}") for _ in range(10)))
    seen = looks[0].headers["ETag"]
    answers = await asyncio.gather(
        *(_change(friends.admin, friends.stream_id, {"name": f"Mine {n}"}, **{"If-Match": seen}) for n in range(10))
    )
    assert sorted(status for status, _ in answers) == [200] + [412] * 9


async def test_a_transfer(world: World, friends: Friends) -> None:
    given = await friends.owner.post(f"/streams/{friends.stream_id}/transfer", {"user_id": str(friends.viewer.user_id)})
    assert (given.status, given.json["owner"]["id"]) == (200, str(friends.viewer.user_id))
    assert (await friends.viewer.get(f"/streams/{friends.stream_id}")).json["user_role"] == "admin"
    assert (await friends.owner.get(f"/streams/{friends.stream_id}")).json["user_role"] == "admin"
    refused = await friends.owner.ask("DELETE", f"/streams/{friends.stream_id}")
    assert (refused.status, refused.error) == (403, "Owner access required")
    assert (await friends.owner.ask("DELETE", _member(friends, friends.owner))).status == 204, "now they may leave"
    assert (await friends.viewer.ask("DELETE", f"/streams/{friends.stream_id}")).status == 204


async def test_a_stream_is_given_to_members_only(world: World, friends: Friends) -> None:
    for nobody in (str(friends.outsider.user_id), unknown()):
        answer = await friends.owner.post(f"/streams/{friends.stream_id}/transfer", {"user_id": nobody})
        assert (answer.status, answer.error) == (404, "Member not found")
    for body in ({"user_id": "me"}, {"user_id": None}, {}, {"user_id": str(friends.admin.user_id), "role": "viewer"}):
        answer = await friends.owner.post(f"/streams/{friends.stream_id}/transfer", body)
        assert (answer.status, answer.error) == (400, "Invalid stream data")
    assert (await world.rows("streams"))[0]["owner_id"] == friends.owner.user_id


async def test_of_two_transfers_at_once_one_counts(world: World, friends: Friends) -> None:
    address = f"/streams/{friends.stream_id}/transfer"
    answers = await asyncio.gather(
        *(friends.owner.post(address, {"user_id": str(to.user_id)}) for to in (friends.viewer, friends.creator))
    )
    assert sorted(answer.status for answer in answers) == [200, 403]
    stream = (await world.rows("streams"))[0]
    roles = {row["user_id"]: row["role"] for row in await world.rows("members", stream_id=UUID(friends.stream_id))}
    assert roles[stream["owner_id"]] == "admin"


async def test_a_deleted_stream_takes_everything_with_it(world: World, friends: Friends) -> None:
    other = await world.stream(friends.owner)
    kept = await world.ready(friends.owner, other)
    gone = [await world.ready(friends.uploader, friends.stream_id) for _ in range(2)]
    assert (await friends.owner.post(f"/streams/{friends.stream_id}/invites", {"role": "viewer"})).status == 201
    await world.pool.execute("DELETE FROM outbox")
    assert (await friends.owner.ask("DELETE", f"/streams/{friends.stream_id}")).status == 204

    for table in ("members", "videos", "invites", "webhooks"):
        assert await world.rows(table, stream_id=UUID(friends.stream_id)) == [], table
    assert {row["video_id"] for row in await world.rows("tombstones")} == set(gone)
    events = {row["event_id"] for row in await world.rows("outbox")}
    assert events == {derived_event_id(EventId(video), "gateway", ClipDeleted.type) for video in gone}
    again = await friends.owner.ask("DELETE", f"/streams/{friends.stream_id}")
    assert (again.status, again.error) == (404, "Stream not found")

    await purging.purge_due(world.pool, world.store)
    for video in gone:
        for prefix in keys.of_video(video):
            assert [found async for found in world.store.list(prefix)] == []
        assert (await friends.owner.get(f"/videos/{video}")).status == 404
    assert (await friends.owner.get(f"/videos/{kept}")).status == 200
    assert [found async for found in world.store.list(keys.processed(kept, ""))]


async def test_two_thousand_videos_go_at_once(world: World, friends: Friends) -> None:
    await world.pool.execute(
        "INSERT INTO videos (id, stream_id, uploader_id, title, filename, content_type, key, size_bytes) "
        "SELECT gen_random_uuid(), $1, $2, 'a', 'a.mp4', 'video/mp4', 'k', 1 FROM generate_series(1, $3)",
        UUID(friends.stream_id),
        friends.uploader.user_id,
        MANY,
    )
    await world.pool.execute(
        "INSERT INTO stages (video_id, stage) SELECT id, stage FROM videos, unnest($1::text[]) AS stage",
        ["ingest", "dedupe", "transcode", "stt", "embed", "search"],
    )
    assert (await friends.owner.ask("DELETE", f"/streams/{friends.stream_id}")).status == 204
    counted = [await world.pool.fetchval(f"SELECT count(*) FROM {table}") for table in ("tombstones", "outbox")]  # noqa: S608
    assert counted == [MANY, MANY]
    assert await world.rows("videos") == await world.rows("stages") == []
    due = await world.pool.fetchval("SELECT count(*) FROM tombstones WHERE purge_at <= now()")
    assert due == MANY


async def test_a_stream_that_is_deleted_while_others_work_in_it(world: World, friends: Friends) -> None:
    """Uploads, joins, role changes and stages' events at the same time: each happens or is refused, and nothing is left."""
    code = (await friends.owner.post(f"/streams/{friends.stream_id}/invites", {"role": "viewer"})).json["code"]
    stories = []
    for _ in range(4):
        video = await world.uploaded(friends.uploader, friends.stream_id)
        stories.append((await world.story(video, friends.stream_id)).finish())
    announced = {"filename": "a.mp4", "size": 1}
    doings = [
        *(friends.uploader.post(f"/streams/{friends.stream_id}/videos", announced) for _ in range(5)),
        friends.owner.ask("DELETE", f"/streams/{friends.stream_id}"),
        friends.outsider.post(f"/invites/{code}/join"),
        friends.admin.ask("PUT", _member(friends, friends.viewer), json={"role": "creator"}),
        friends.admin.ask("PUT", f"/streams/{friends.stream_id}", json={"name": "New"}),
        friends.admin.post(f"/streams/{friends.stream_id}/invites", {"role": "viewer"}),
        *(friends.uploader.post(f"/streams/{friends.stream_id}/videos", announced) for _ in range(5)),
    ]
    answers, _ = await asyncio.gather(
        asyncio.gather(*doings), asyncio.gather(*(world.project(*story.told) for story in stories))
    )
    assert {answer.status for answer in answers} <= {200, 201, 204, 403, 404}
    assert answers[5].status == 204
    for table in ("videos", "members", "invites"):
        assert await world.rows(table, stream_id=UUID(friends.stream_id)) == [], table


@pytest.mark.parametrize(
    "name", ["e\u0301", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "ﷺ", "Ⅷ", "مرحبا", "İi", "<b>'\"--", "%s{0}"]
)
async def test_names_of_every_kind_come_back_as_they_were(world: World, friends: Friends, name: str) -> None:
    assert (await _change(friends.owner, friends.stream_id, {"name": name}))[1]["name"] == name
    assert (await friends.viewer.get(f"/streams/{friends.stream_id}")).json["name"] == name


async def test_streams_that_are_not_there(world: World, friends: Friends) -> None:
    for stream_id in (str(uuid4()), "x", "%00", "1"):
        for method, path in (("PUT", ""), ("DELETE", ""), ("POST", "/transfer")):
            answer = await friends.owner.ask(method, f"/streams/{stream_id}{path}", json={"name": "a"})
            assert (answer.status, answer.error) == (404, "Stream not found")


def _member(friends: Friends, who: Somebody) -> str:
    return f"/streams/{friends.stream_id}/members/{who.user_id}"
