"""Uploads in chunks, over the whole API and with every part by plain HTTP, on disk and on S3 alike."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any
from uuid import UUID

import pytest

from clipstream.common.contracts.ids import upload_event_id
from clipstream.common.store.parts import PART_SIZE
from integration.gateway.conftest import Friends, make_friends
from integration.gateway.stores import LONG, Client, Site
from integration.gateway.world import FILE, World, unknown


async def test_the_whole_story_with_a_tab_closed_and_a_server_restarted(place: Site, client: Client) -> None:
    world, who = client.world, client.who
    assert client.upload["received"] == []
    assert (client.upload["part_size"], client.upload["part_count"], client.upload["missing"]) == (PART_SIZE, 2, [1, 2])
    assert client.upload["size"] == len(LONG)
    await client.send(2)
    opened = await who.post(f"/videos/{client.video_id}/uploads")  # another tab
    assert (opened.status, opened.json["id"]) == (200, client.upload["id"])
    assert ([part["number"] for part in opened.json["received"]], opened.json["missing"]) == ([2], [1])
    async with place.gateway() as restarted:
        there = Client(restarted, who, client.video_id, LONG, client.upload, client.single)
        who.base = restarted.base
        assert (await there.look())["bytes"] == len(LONG) - PART_SIZE
        await there.send(1)
        first = await there.complete()
    who.base = world.base
    assert first.json == {"id": client.video_id, "status": "processing", "processing_index": 1}
    again = await client.complete()
    assert (again.status, again.json) == (200, first.json)
    stored = await world.store.head(client.key)
    assert b"".join([piece async for piece in world.store.stream(client.key)]) == LONG
    assert stored.metadata["filename"] == "clip.mp4"
    (event,) = await client.told()
    assert event["id"] == str(upload_event_id(world.store.bucket, stored.key, stored.etag, stored.size_bytes))
    shown = await client.look()
    assert (shown["state"], shown["bytes"], shown["missing"]) == ("complete", len(LONG), [])


async def test_completing_too_early_loses_nothing(client: Client) -> None:
    assert (await client.complete()).json["details"] == ["2 of 2 parts have not arrived: 1, 2"]
    await client.send(1)
    early = await client.complete()
    assert (early.status, early.error) == (409, "Upload not complete")
    assert early.json["details"] == ["1 of 2 parts have not arrived: 2"]
    assert (await client.who.get(f"/videos/{client.video_id}")).json["status"] == "uploading"
    await client.send(2)
    assert (await client.complete()).status == 200


async def test_part_lists_that_lie_are_refused_and_true_ones_taken(client: Client) -> None:
    await client.send(1, 2)
    one, two = [
        {"number": p["number"], "etag": p["etag"], "size": p["size"]} for p in (await client.look())["received"]
    ]
    lies: list[list[dict[str, Any]]] = [
        [one],
        [one, two, {"number": 3}],
        [one, one],
        [one | {"etag": two["etag"]}, two],
        [one, two | {"size": PART_SIZE}],
        [one | {"number": 2}, two | {"number": 1}],
    ]
    for lie in lies:
        refused = await client.complete(lie)
        assert (refused.status, refused.error) == (400, "Invalid upload parts"), lie
        assert refused.json["details"]
    assert await client.told() == []
    assert (await client.complete([two, one | {"etag": f'"{one["etag"]}"'}])).status == 200


@pytest.mark.parametrize("body", [b"", b"short", LONG[: PART_SIZE + 1]])
async def test_a_part_of_another_length_is_not_stored(client: Client, body: bytes) -> None:
    signed = await client.address(1)
    headers = signed["headers"] | {"content-length": str(len(body))}
    assert 400 <= (await client.world.send(signed | {"headers": headers}, body)).status < 500
    assert (await client.look())["received"] == []


async def test_an_announced_checksum_is_held_against_the_bytes(client: Client) -> None:
    digest = hashlib.sha256(client.piece(2)).hexdigest()
    signed = await client.address(2, sha256=digest)
    assert 400 <= (await client.world.send(signed, b"x" * len(client.piece(2)))).status < 500
    assert (await client.world.send(signed, client.piece(2))).status == 200
    assert [part["sha256"] for part in (await client.look())["received"]] == [digest]
    bare = await client.ask([1])
    assert (bare.status, bare.json["details"]) == (400, ["every part of this upload needs its sha256"])
    first = await client.address(1, sha256=hashlib.sha256(client.piece(1)).hexdigest())
    assert (await client.world.send(first, client.piece(1))).status == 200
    assert (await client.complete()).status == 200


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [0],
        [-1],
        [3],
        [1, 1],
        [1, 10_001],
        ["1"],
        [1.5],
        [{"number": 1, "size": 5}],
        [{"number": 1, "sha256": "abc"}],
        [{"number": 1, "sha256": "0" * 64}, 2],
        [1] * 101,
    ],
)
async def test_parts_that_cannot_be_are_not_signed(client: Client, parts: list[Any]) -> None:
    wanted = [part if isinstance(part, int | dict) else {"number": part} for part in parts]
    refused = await client.ask(wanted)
    assert (refused.status, refused.error) == (400, "Invalid upload parts")
    assert (await client.row())["store_id"] is None


async def test_aborting_gives_back_what_has_arrived(client: Client) -> None:
    signed = await client.address(1)
    await client.send(1)
    for _ in range(2):
        assert (await client.who.ask("DELETE", client.path)).status == 204
    assert await client.ended()
    assert (await client.world.send(signed, client.piece(1))).status == 404
    for late in (await client.ask([1]), await client.complete()):
        assert (late.status, late.error) == (409, "Upload aborted")
    assert (await client.look())["state"] == "aborted"
    again = await client.who.post(f"/videos/{client.video_id}/uploads")
    assert again.status == 201
    assert again.json["id"] != client.upload["id"]


async def test_an_upload_that_has_become_a_file_is_over(client: Client) -> None:
    signed = await client.address(1)
    await client.finished()
    assert (await client.world.send(signed, client.piece(1)[::-1])).status == 404
    assert (await client.world.send(client.single, LONG[::-1])).status in (409, 412)
    aborted = await client.who.ask("DELETE", client.path)
    opened = await client.who.post(f"/videos/{client.video_id}/uploads")
    for late in (aborted, opened, await client.ask([1])):
        assert (late.status, late.error) == (409, "Upload already complete")
    assert await client.world.store.read_range(client.key, 0, 4) == LONG[:4]


async def test_chunks_do_not_overwrite_a_file_that_came_at_once(client: Client) -> None:
    await client.send(1, 2)
    assert (await client.world.send(client.single, LONG[::-1])).status == 200
    late = await client.complete()
    assert (late.status, late.error) == (409, "Upload already complete")
    assert await client.world.store.read_range(client.key, 0, 4) == LONG[::-1][:4]
    assert (await client.who.post(f"/videos/{client.video_id}/complete")).status == 200
    await client.world.gateway.sweeper.sweep()
    assert await client.ended()


async def test_only_its_uploader_and_admins_touch_it_and_only_as_part_of_its_video(anywhere: World) -> None:
    friends = await make_friends(anywhere)
    client = await Client.begin(anywhere, friends.uploader, friends.stream_id)
    await client.send(1)
    other = await Client.begin(client.world, friends.creator, friends.stream_id)
    for stranger in (friends.creator, friends.viewer, friends.outsider, friends.revoked, friends.site_admin):
        for method, end in (("GET", ""), ("POST", "/parts"), ("POST", "/complete"), ("DELETE", "")):
            body = {"json": {"parts": [{"number": 1}]}} if end == "/parts" else {}
            assert (await stranger.ask(method, client.path + end, **body)).status == 403
    for upload_id in (client.upload["id"], unknown()):
        path = f"/videos/{other.video_id}/uploads/{upload_id}"
        for method, end in (("GET", ""), ("POST", "/complete"), ("DELETE", "")):
            answer = await friends.creator.ask(method, path + end)
            assert (answer.status, answer.error) == (404, "Upload not found")
    assert (await friends.admin.get(client.path)).json["bytes"] == PART_SIZE


async def test_many_at_once_open_one_and_complete_it_once(client: Client) -> None:
    path = f"/videos/{client.video_id}/uploads"
    opened = await asyncio.gather(*(client.who.post(path) for _ in range(10)))
    assert {answer.json["id"] for answer in opened} == {client.upload["id"]}
    signed = await asyncio.gather(*(client.ask([1]) for _ in range(10)))
    assert {answer.status for answer in signed} == {200}
    await client.send(1, 2)
    done = await asyncio.gather(*(client.complete() for _ in range(10)))
    assert {answer.status for answer in done} == {200}, [answer.raw for answer in done]
    assert len(await client.told()) == 1


NAMES = [
    "e\u0301 and \u00e9.mp4", "\u05d0\u05d1\u05d2 שלום.mp4", "日本語 クリップ.mp4", "👩‍👩‍👧‍👦🎮.mp4", "..%2f..%2fetc.mp4",
    "../../etc/passwd.mp4", "..\\..\\x.mp4", "/absolute.mp4", "C:\\x.mp4", "a;b=c&d?e#f+g%00.mp4", '"quoted".mp4', "'.mp4",
    "\u200fright.mp4", "a" * 251 + ".mp4", "<script>.mp4", "${x}.mp4", "\ufeffbom.mp4", ".mp4.mp4", "a\u0000b.mp4",
    "a\r\nX-Evil: 1.mp4", "\u202egnp.mp4", "x" * 4096 + ".mp4", "\ud800.mp4",
]  # fmt: skip


async def test_any_name_is_only_a_name(anywhere: World) -> None:
    friends = await make_friends(anywhere)
    for name in NAMES:
        await _store_under(name, anywhere, friends)


async def _store_under(name: str, world: World, friends: Friends) -> None:
    answer = await friends.uploader.post(f"/streams/{friends.stream_id}/videos", {"filename": name, "size": len(FILE)})
    if len(name) > 255 or any(character in name for character in "\0\r\n\u202e\ud800"):
        assert (answer.status, answer.error) == (400, "Invalid video file"), name
        return
    video_id = answer.json["id"]
    client = Client(world, friends.uploader, video_id, FILE, {}, answer.json["upload"])
    assert client.key == f"raw-uploads/{UUID(video_id)}.mp4"
    client.upload = (await friends.uploader.post(f"/videos/{video_id}/uploads")).json
    await client.finished()
    assert (await world.store.head(client.key)).metadata["filename"] == name
    assert (await friends.viewer.get(f"/videos/{video_id}")).json["filename"] == name
