"""Webhooks against a real receiver over HTTP: what it is told of a clip, and how it knows that it is us."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from clipstream.common.contracts.ids import VideoId
from integration.gateway.conftest import Friends, make_friends
from integration.gateway.receiver import (
    ALL,
    Receiver,
    add_webhook,
    genuine,
    has_heard,
    receiving,
)
from integration.gateway.world import World, serving, settings


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
async def world(gateway_database: str, tmp_path: Path) -> AsyncIterator[World]:
    """A gateway whose operator lets webhooks call 127.0.0.1, sending."""
    chosen = settings(gateway_database, tmp_path, webhook_allowed_hosts="Receiver.internal, 127.0.0.1")
    async with (
        serving(chosen.model_copy(update={"public_web_url": "https://clips.example"})) as made,
        made.running(),
    ):
        yield made


@pytest.fixture
async def friends(world: World) -> Friends:
    return await make_friends(world)


async def test_the_life_of_a_clip(world: World, friends: Friends, receiver: Receiver) -> None:
    webhook = await add_webhook(friends.admin, friends.stream_id, f"{receiver.url}/hook")
    video_id = await world.uploaded(friends.uploader, friends.stream_id, title="Ace")
    told = (await world.story(video_id, friends.stream_id)).finish().told
    await world.project(*told, *told)
    await has_heard(receiver, 2)
    assert [heard.json["type"] for heard in receiver.heard] == ["video.playable", "video.ready"]
    ready = receiver.heard[1]
    assert ready.json["data"] == {
        "stream_id": friends.stream_id,
        "video_id": str(video_id),
        "title": "Ace",
        "status": "ready",
        "duration": 29.5,
        "uploaded_by": "uploader",
        "url": f"https://clips.example/videos/{video_id}",
    }
    assert abs(int(ready.headers["webhook-timestamp"]) - time.time()) < 300
    assert all(genuine(heard, webhook["secret"]) for heard in receiver.heard)
    assert not genuine(ready, (await add_webhook(friends.admin, friends.stream_id, receiver.url))["secret"])
    assert "Authorization" not in ready.headers
    assert "Cookie" not in ready.headers


async def test_rejected_failed_and_duplicate(world: World, friends: Friends, receiver: Receiver) -> None:
    await add_webhook(friends.admin, friends.stream_id, receiver.url)
    rejected = await world.uploaded(friends.uploader, friends.stream_id)
    story = await world.story(rejected, friends.stream_id)
    await world.project(*story.told, story.reject("This is a text file."))
    copy = await world.uploaded(friends.uploader, friends.stream_id)
    story = await world.story(copy, friends.stream_id)
    story.copy_of(rejected)
    await world.project(*story.told)
    failed = await world.uploaded(friends.uploader, friends.stream_id)
    story = (await world.story(failed, friends.stream_id)).finish(without=["transcode"])
    await world.project(*story.told)
    await has_heard(receiver, 3)
    told = {heard.json["data"]["video_id"]: heard.json for heard in receiver.heard}
    assert {str(rejected): "video.failed", str(copy): "video.duplicate", str(failed): "video.failed"} == {
        video_id: message["type"] for video_id, message in told.items()
    }
    assert told[str(rejected)]["data"]["error"] == "This is a text file."
    assert told[str(copy)]["data"]["original_id"] == str(rejected)
    assert told[str(failed)]["data"]["error"] == "transcode broke"


async def test_what_is_not_named_stays(world: World, friends: Friends) -> None:
    """A Discord address is known as one: it takes no other messages."""
    url = "https://discord.com/api/webhooks/1/abc"
    made = await add_webhook(friends.admin, friends.stream_id, url, events=["video.ready"])
    assert made["kind"] == "discord"
    path = f"/streams/{friends.stream_id}/webhooks/{made['id']}"
    off = (await friends.admin.ask("PUT", path, json={"enabled": False})).json
    assert off == {name: value for name, value in made.items() if name != "secret"} | {"enabled": False}
    changed = (await friends.admin.ask("PUT", path, json={"events": ["video.failed"], "kind": "standard"})).json
    assert changed == off | {"events": ["video.failed"], "kind": "standard"}
    for null in ({"url": None}, {"enabled": None}):
        assert (await friends.admin.ask("PUT", path, json=null)).status == 400


async def test_a_copy_of_another_streams_clip_does_not_name_it(
    world: World, friends: Friends, receiver: Receiver
) -> None:
    """Whatever a stage says, a stream learns nothing of others."""
    other = await world.stream(friends.outsider)
    foreign = await world.ready(friends.outsider, other)
    await add_webhook(friends.admin, friends.stream_id, receiver.url)
    copy = await world.uploaded(friends.uploader, friends.stream_id)
    story = await world.story(copy, friends.stream_id)
    story.copy_of(foreign)
    await world.project(*story.told)
    await has_heard(receiver, 1)
    assert receiver.heard[0].json["data"]["video_id"] == str(copy)
    assert str(foreign) not in receiver.heard[0].body.decode()


async def test_only_what_was_asked_for(world: World, friends: Friends, receiver: Receiver) -> None:
    other = await world.stream(friends.outsider)
    await add_webhook(friends.outsider, other, f"{receiver.url}/other")
    await add_webhook(friends.admin, friends.stream_id, f"{receiver.url}/ready", events=["video.ready", "video.ready"])
    off = await add_webhook(friends.admin, friends.stream_id, f"{receiver.url}/off")
    disabled = {"url": off["url"], "events": ALL, "enabled": False}
    changed = await friends.admin.ask("PUT", f"/streams/{friends.stream_id}/webhooks/{off['id']}", json=disabled)
    assert changed.json["enabled"] is False
    await world.ready(friends.uploader, friends.stream_id)
    await has_heard(receiver, 1)
    assert [(heard.path, heard.json["type"]) for heard in receiver.heard] == [("/ready", "video.ready")]
    assert len(await world.rows("deliveries")) == 1


async def test_who_is_no_admin_any_more_is_told_nothing(world: World, friends: Friends, receiver: Receiver) -> None:
    await add_webhook(friends.admin, friends.stream_id, f"{receiver.url}/demoted")
    await add_webhook(friends.owner, friends.stream_id, f"{receiver.url}/owner", events=["video.ready"])
    await world.join(friends.stream_id, friends.admin, "viewer")
    await world.ready(friends.uploader, friends.stream_id)
    await has_heard(receiver, 1)
    assert [heard.path for heard in receiver.heard] == ["/owner"]
    assert len(await world.rows("deliveries")) == 1


async def test_a_change_that_is_undone_tells_nobody(world: World, friends: Friends, receiver: Receiver) -> None:
    """The delivery belongs to the transaction that changed the clip."""
    await add_webhook(friends.admin, friends.stream_id, receiver.url)
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    story = await world.story(video_id, friends.stream_id)
    rejected = story.reject()
    async with world.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        assert await world.gateway.projector.take(connection, rejected) is not None
        assert await connection.fetchval("SELECT count(*) FROM deliveries") == 1
        await transaction.rollback()
    assert await world.rows("deliveries") == []


async def test_a_clip_that_fails_again_is_told_once(world: World, friends: Friends, receiver: Receiver) -> None:
    await add_webhook(friends.admin, friends.stream_id, receiver.url)
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    story = await world.story(video_id, friends.stream_id)
    await world.project(*story.told, story.fail("ingest", story.upload), story.reject("It is broken."))
    (row,) = await world.rows("videos", id=video_id)
    assert row["status"] == "rejected"
    assert [delivery["event"] for delivery in await world.rows("deliveries")] == ["video.failed"]


async def test_discord(world: World, friends: Friends, receiver: Receiver) -> None:
    await add_webhook(friends.admin, friends.stream_id, receiver.url, kind="discord", events=["video.ready"])
    video_id = VideoId(
        UUID(
            (await world.announced(friends.uploader, friends.stream_id, title="@everyone [x](http://e.example) `a`"))[
                "id"
            ]
        )
    )
    await world.project(*(await world.story(video_id, friends.stream_id)).finish().told)
    await has_heard(receiver, 1)
    said = receiver.heard[0].json
    assert said["allowed_mentions"] == {"parse": []}
    (embed,) = said["embeds"]
    assert embed["title"] == "\\@\u200beveryone \\[x\\]\\(http\\:\\/\\/e\\.example\\) \\`a\\`"
    assert embed["url"] == f"https://clips.example/videos/{video_id}"
    assert embed["fields"] == [{"name": "Uploaded by", "value": "uploader", "inline": True}]
    assert "ready" in said["content"]


async def test_the_secret_is_shown_once_and_not_stored(world: World, friends: Friends, receiver: Receiver) -> None:
    made = await add_webhook(friends.admin, friends.stream_id, receiver.url)
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32
    (listed,) = (await friends.admin.get(f"/streams/{friends.stream_id}/webhooks")).json["webhooks"]
    assert "secret" not in listed
    assert listed["events"] == ALL
    (row,) = await world.rows("webhooks")
    assert made["secret"].removeprefix("whsec_") not in str(dict(row))


async def test_there_is_an_end_to_how_many(world: World, friends: Friends, receiver: Receiver) -> None:
    body = {"url": receiver.url, "events": ["video.ready"]}
    answers = await asyncio.gather(
        *(friends.admin.post(f"/streams/{friends.stream_id}/webhooks", body) for _ in range(23))
    )
    assert sorted(answer.status for answer in answers) == [201] * 20 + [409] * 3
    page = (await friends.admin.get(f"/streams/{friends.stream_id}/webhooks?limit=15")).json
    rest = (await friends.admin.get(f"/streams/{friends.stream_id}/webhooks?cursor={page['next_cursor']}")).json
    assert (len(page["webhooks"]), len(rest["webhooks"]), rest["next_cursor"]) == (15, 5, None)


@pytest.mark.parametrize(
    "change",
    [
        {"events": []},
        {"events": ["video.watched"]},
        {"events": "video.ready"},
        {"kind": "slack"},
        {"url": ""},
        {"url": "https://example.com/" + "x" * 2048},
        {"url": "https://example.com/a b"},
        {"url": "https://example.com/\n"},
        {"url": "https://xn--/"},
        {"secret": "mine"},
        {"stream_id": "another"},
    ],
)
async def test_bad_webhooks(world: World, friends: Friends, change: dict[str, Any]) -> None:
    body = {"url": "https://example.com/", "events": ["video.ready"]} | change
    answer = await friends.admin.post(f"/streams/{friends.stream_id}/webhooks", body)
    assert (answer.status, answer.error) == (400, "Invalid webhook")
    assert answer.json["details"]
