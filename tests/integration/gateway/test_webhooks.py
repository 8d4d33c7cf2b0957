"""Webhooks against a real receiver over HTTP: what it is told, how it knows it is us, and what happens when it fails."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web

from clipstream.common.contracts.ids import VideoId
from integration.gateway.conftest import Friends, make_friends
from integration.gateway.world import Somebody, World, eventually, serving, settings

ALL = ["video.playable", "video.ready", "video.failed", "video.duplicate"]


@dataclass(frozen=True)
class Heard:
    """One request that came in."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Somebody else's server. It answers with `answers` in turn, then with 204."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    answers: list[web.Response] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.heard.append(Heard(request.path, dict(request.headers), await request.read()))
        return self.answers.pop(0) if self.answers else web.Response(status=204)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", receiver.take)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield receiver
    finally:
        await runner.cleanup()


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


async def _webhook(admin: Somebody, stream_id: str, url: str, **more: Any) -> dict[str, Any]:
    answer = await admin.post(f"/streams/{stream_id}/webhooks", {"url": url, "events": ALL} | more)
    assert answer.status == 201, answer.raw
    made: dict[str, Any] = answer.json
    return made


async def _deliveries(friends: Friends, webhook: Mapping[str, Any]) -> list[dict[str, Any]]:
    answer = await friends.admin.get(f"/streams/{friends.stream_id}/webhooks/{webhook['id']}/deliveries")
    found: list[dict[str, Any]] = answer.json["deliveries"]
    return found


async def _heard(receiver: Receiver, count: int) -> None:
    async def enough() -> bool:
        return len(receiver.heard) >= count

    await eventually(enough)


async def _settled(friends: Friends, webhook: Mapping[str, Any], attempts: int, state: str) -> dict[str, Any]:
    async def there() -> bool:
        (delivery,) = await _deliveries(friends, webhook)
        return (
            delivery["attempts"] == attempts and delivery["state"] == state and delivery["response_status"] is not None
        )

    await eventually(there)
    return (await _deliveries(friends, webhook))[0]


async def _hurry(world: World) -> None:
    """Let the time pass until the next attempt."""
    await world.pool.execute("UPDATE deliveries SET due_at = now() WHERE due_at > now()")


def _genuine(heard: Heard, secret: str) -> bool:
    """As a receiver checks it, by the specification and without our code."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{heard.headers['webhook-id']}.{heard.headers['webhook-timestamp']}.".encode() + heard.body
    made = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return heard.headers["webhook-signature"] == f"v1,{made}"


async def test_the_life_of_a_clip(world: World, friends: Friends, receiver: Receiver) -> None:
    webhook = await _webhook(friends.admin, friends.stream_id, f"{receiver.url}/hook")
    video_id = await world.uploaded(friends.uploader, friends.stream_id, title="Ace")
    told = (await world.story(video_id, friends.stream_id)).finish().told
    await world.project(*told, *told)
    await _heard(receiver, 2)
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
    assert all(_genuine(heard, webhook["secret"]) for heard in receiver.heard)
    assert not _genuine(ready, (await _webhook(friends.admin, friends.stream_id, receiver.url))["secret"])
    assert "Authorization" not in ready.headers
    assert "Cookie" not in ready.headers


async def test_rejected_failed_and_duplicate(world: World, friends: Friends, receiver: Receiver) -> None:
    await _webhook(friends.admin, friends.stream_id, receiver.url)
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
    await _heard(receiver, 3)
    told = {heard.json["data"]["video_id"]: heard.json for heard in receiver.heard}
    assert {str(rejected): "video.failed", str(copy): "video.duplicate", str(failed): "video.failed"} == {
        video_id: message["type"] for video_id, message in told.items()
    }
    assert told[str(rejected)]["data"]["error"] == "This is a text file."
    assert told[str(copy)]["data"]["original_id"] == str(rejected)
    assert told[str(failed)]["data"]["error"] == "transcode broke"


async def test_only_what_was_asked_for(world: World, friends: Friends, receiver: Receiver) -> None:
    other = await world.stream(friends.outsider)
    await _webhook(friends.outsider, other, f"{receiver.url}/other")
    await _webhook(friends.admin, friends.stream_id, f"{receiver.url}/ready", events=["video.ready", "video.ready"])
    off = await _webhook(friends.admin, friends.stream_id, f"{receiver.url}/off")
    disabled = {"url": off["url"], "events": ALL, "enabled": False}
    changed = await friends.admin.ask("PUT", f"/streams/{friends.stream_id}/webhooks/{off['id']}", json=disabled)
    assert changed.json["enabled"] is False
    await world.ready(friends.uploader, friends.stream_id)
    await _heard(receiver, 1)
    assert [(heard.path, heard.json["type"]) for heard in receiver.heard] == [("/ready", "video.ready")]
    assert len(await world.rows("deliveries")) == 1


async def test_a_change_that_is_undone_tells_nobody(world: World, friends: Friends, receiver: Receiver) -> None:
    """The delivery belongs to the transaction that changed the clip."""
    await _webhook(friends.admin, friends.stream_id, receiver.url)
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


async def test_a_receiver_that_fails_twice_is_asked_again(world: World, friends: Friends, receiver: Receiver) -> None:
    receiver.answers = [web.Response(status=500, text="x" * 100_000), web.Response(status=503)]
    webhook = await _webhook(friends.admin, friends.stream_id, receiver.url, events=["video.ready"])
    await world.ready(friends.uploader, friends.stream_id)
    first = await _settled(friends, webhook, 1, "pending")
    assert (first["response_status"], first["error"]) == (500, "The receiver answered 500.")
    assert first["next_attempt_at"] is not None
    await _hurry(world)
    await _heard(receiver, 2)
    await _settled(friends, webhook, 2, "pending")
    await _hurry(world)
    last = await _settled(friends, webhook, 3, "delivered")
    assert (last["response_status"], last["error"], last["next_attempt_at"]) == (204, None, None)
    assert len({heard.headers["webhook-id"] for heard in receiver.heard}) == 1
    assert len({heard.body for heard in receiver.heard}) == 1
    assert all(_genuine(heard, webhook["secret"]) for heard in receiver.heard)


async def test_nobody_is_asked_for_ever(world: World, friends: Friends, receiver: Receiver) -> None:
    receiver.answers = [web.Response(status=500), web.Response(status=500)]
    webhook = await _webhook(friends.admin, friends.stream_id, receiver.url, events=["video.ready"])
    await world.ready(friends.uploader, friends.stream_id)
    await _settled(friends, webhook, 1, "pending")
    await world.pool.execute("UPDATE deliveries SET attempts = 10, due_at = now()")
    given_up = await _settled(friends, webhook, 11, "failed")
    assert (given_up["next_attempt_at"], given_up["error"]) == (None, "The receiver answered 500.")


async def test_a_receiver_says_how_long_to_wait(world: World, friends: Friends, receiver: Receiver) -> None:
    receiver.answers = [web.Response(status=429, headers={"Retry-After": "4000"})]
    webhook = await _webhook(friends.admin, friends.stream_id, receiver.url, events=["video.ready"])
    await world.ready(friends.uploader, friends.stream_id)
    await _settled(friends, webhook, 1, "pending")
    assert await world.pool.fetchval("SELECT due_at > now() + interval '3900 s' FROM deliveries")


async def test_410_is_the_end(world: World, friends: Friends, receiver: Receiver) -> None:
    receiver.answers = [web.Response(status=410)]
    webhook = await _webhook(friends.admin, friends.stream_id, receiver.url, events=["video.ready"])
    base = f"/streams/{friends.stream_id}/webhooks"
    await world.ready(friends.uploader, friends.stream_id)
    ended = await _settled(friends, webhook, 1, "failed")
    assert (ended["response_status"], "disabled" in ended["error"]) == (410, True)
    (listed,) = (await friends.admin.get(base)).json["webhooks"]
    assert listed["enabled"] is False
    await world.ready(friends.uploader, friends.stream_id)
    assert len(await _deliveries(friends, webhook)) == 1
    refused = await friends.admin.post(f"{base}/{webhook['id']}/deliveries/{ended['id']}/replay")
    assert (refused.status, refused.error) == (409, "Webhook is disabled")
    assert (await friends.admin.post(f"{base}/{webhook['id']}/test")).status == 409
    again = {"url": receiver.url, "events": ["video.ready"]}
    assert (await friends.admin.ask("PUT", f"{base}/{webhook['id']}", json=again)).json["enabled"] is True
    assert (await friends.admin.post(f"{base}/{webhook['id']}/test")).status == 202


async def test_replay_and_test(world: World, friends: Friends, receiver: Receiver) -> None:
    webhook = await _webhook(friends.admin, friends.stream_id, receiver.url)
    base = f"/streams/{friends.stream_id}/webhooks/{webhook['id']}"
    tried = await friends.admin.post(f"{base}/test")
    assert (tried.status, tried.json["event"], tried.json["state"]) == (202, "webhook.test", "pending")
    first = await _settled(friends, webhook, 1, "delivered")
    assert receiver.heard[0].json["type"] == "webhook.test"
    again = await friends.admin.post(f"{base}/deliveries/{first['id']}/replay")
    assert (again.status, again.json["state"], again.json["attempts"]) == (202, "pending", 0)
    await _heard(receiver, 2)
    assert receiver.heard[0].headers["webhook-id"] == receiver.heard[1].headers["webhook-id"] == first["id"]
    assert receiver.heard[0].body == receiver.heard[1].body
    await _settled(friends, webhook, 1, "delivered")
    assert (await friends.admin.post(f"{base}/deliveries/{UUID(int=7)}/replay")).error == "Delivery not found"
    other = await _webhook(friends.admin, friends.stream_id, receiver.url)
    elsewhere = f"/streams/{friends.stream_id}/webhooks/{other['id']}/deliveries/{first['id']}/replay"
    assert (await friends.admin.post(elsewhere)).error == "Delivery not found"


async def test_two_gateways_send_each_once(
    world: World, friends: Friends, receiver: Receiver, gateway_database: str, tmp_path: Path
) -> None:
    webhook = await _webhook(friends.admin, friends.stream_id, receiver.url, events=["video.ready"])
    chosen = settings(gateway_database, tmp_path / "other", webhook_allowed_hosts="127.0.0.1")
    async with serving(chosen) as second, second.running():
        videos = [await world.ready(friends.uploader, friends.stream_id) for _ in range(6)]
        await _heard(receiver, 6)

        async def done() -> bool:
            return {delivery["state"] for delivery in await _deliveries(friends, webhook)} == {"delivered"}

        await eventually(done)
    assert sorted(heard.json["data"]["video_id"] for heard in receiver.heard) == sorted(str(v) for v in videos)


async def test_a_slow_receiver_holds_up_nobody_else(world: World, friends: Friends, receiver: Receiver) -> None:
    """It is sent one thing at a time, however much waits for it."""
    silent = await asyncio.start_server(lambda *_: asyncio.sleep(3600), "127.0.0.1", 0)
    async with silent:
        port = silent.sockets[0].getsockname()[1]
        slow = await _webhook(friends.admin, friends.stream_id, f"http://127.0.0.1:{port}/")
        quick = await _webhook(friends.admin, friends.stream_id, receiver.url)
        for webhook, count in ((slow, 20), (quick, 3)):
            for number in range(count):
                await friends.admin.post(f"/streams/{friends.stream_id}/webhooks/{webhook['id']}/test")
                await _heard(receiver, number + 1 if webhook is quick else 0)
        assert sum(delivery["attempts"] for delivery in await _deliveries(friends, slow)) == 1


async def test_a_clip_that_fails_again_is_told_once(world: World, friends: Friends, receiver: Receiver) -> None:
    await _webhook(friends.admin, friends.stream_id, receiver.url)
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    story = await world.story(video_id, friends.stream_id)
    await world.project(*story.told, story.fail("ingest", story.upload), story.reject("It is broken."))
    (row,) = await world.rows("videos", id=video_id)
    assert row["status"] == "rejected"
    assert [delivery["event"] for delivery in await world.rows("deliveries")] == ["video.failed"]


async def test_discord(world: World, friends: Friends, receiver: Receiver) -> None:
    await _webhook(friends.admin, friends.stream_id, receiver.url, kind="discord", events=["video.ready"])
    video_id = VideoId(
        UUID(
            (await world.announced(friends.uploader, friends.stream_id, title="@everyone [x](http://e.example) `a`"))[
                "id"
            ]
        )
    )
    await world.project(*(await world.story(video_id, friends.stream_id)).finish().told)
    await _heard(receiver, 1)
    said = receiver.heard[0].json
    assert said["allowed_mentions"] == {"parse": []}
    (embed,) = said["embeds"]
    assert embed["title"] == "\\@\u200beveryone \\[x\\]\\(http\\:\\/\\/e\\.example\\) \\`a\\`"
    assert embed["url"] == f"https://clips.example/videos/{video_id}"
    assert embed["fields"] == [{"name": "Uploaded by", "value": "uploader", "inline": True}]
    assert "ready" in said["content"]


async def test_one_that_is_deleted_is_told_nothing_more(world: World, friends: Friends, receiver: Receiver) -> None:
    receiver.answers = [web.Response(status=500)]
    webhook = await _webhook(friends.admin, friends.stream_id, receiver.url, events=["video.ready"])
    await world.ready(friends.uploader, friends.stream_id)
    await _settled(friends, webhook, 1, "pending")
    base = f"/streams/{friends.stream_id}/webhooks/{webhook['id']}"
    assert (await friends.admin.ask("DELETE", base)).status == 204
    assert await world.rows("deliveries") == []
    for method, path in (("DELETE", base), ("GET", f"{base}/deliveries"), ("POST", f"{base}/test")):
        assert (await friends.admin.ask(method, path)).error == "Webhook not found"


async def test_the_secret_is_shown_once_and_not_stored(world: World, friends: Friends, receiver: Receiver) -> None:
    made = await _webhook(friends.admin, friends.stream_id, receiver.url)
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
        {"secret": "mine"},
        {"stream_id": "another"},
    ],
)
async def test_bad_webhooks(world: World, friends: Friends, change: dict[str, Any]) -> None:
    body = {"url": "https://example.com/", "events": ["video.ready"]} | change
    answer = await friends.admin.post(f"/streams/{friends.stream_id}/webhooks", body)
    assert (answer.status, answer.error) == (400, "Invalid webhook")
    assert answer.json["details"]
