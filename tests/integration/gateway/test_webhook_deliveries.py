"""Deliveries to receivers that fail, are slow or are gone, and deliveries that are sent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from aiohttp import web

from clipstream.gateway import outgoing
from clipstream.gateway.sending import AT_ONCE, PER_PERSON
from integration.gateway.conftest import Friends, make_friends
from integration.gateway.receiver import (
    Receiver,
    add_webhook,
    deliveries_of,
    genuine,
    has_heard,
    hurry,
    receiving,
    settled,
)
from integration.gateway.world import World, eventually, serving, settings


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


async def test_a_receiver_that_fails_twice_is_asked_again(world: World, friends: Friends, receiver: Receiver) -> None:
    receiver.answers = [web.Response(status=500, text="x" * 100_000), web.Response(status=503)]
    webhook = await add_webhook(friends.admin, friends.stream_id, receiver.url, events=["video.ready"])
    await world.ready(friends.uploader, friends.stream_id)
    first = await settled(friends, webhook, 1, "pending")
    assert (first["response_status"], first["error"]) == (500, "The receiver answered 500.")
    assert first["next_attempt_at"] is not None
    await hurry(world)
    await has_heard(receiver, 2)
    await settled(friends, webhook, 2, "pending")
    await hurry(world)
    last = await settled(friends, webhook, 3, "delivered")
    assert (last["response_status"], last["error"], last["next_attempt_at"]) == (204, None, None)
    assert len({heard.headers["webhook-id"] for heard in receiver.heard}) == 1
    assert len({heard.body for heard in receiver.heard}) == 1
    assert all(genuine(heard, webhook["secret"]) for heard in receiver.heard)


async def test_nobody_is_asked_for_ever(world: World, friends: Friends, receiver: Receiver) -> None:
    receiver.answers = [web.Response(status=500), web.Response(status=500)]
    webhook = await add_webhook(friends.admin, friends.stream_id, receiver.url, events=["video.ready"])
    await world.ready(friends.uploader, friends.stream_id)
    await settled(friends, webhook, 1, "pending")
    await world.pool.execute("UPDATE deliveries SET attempts = 10, due_at = now()")
    given_up = await settled(friends, webhook, 11, "failed")
    assert (given_up["next_attempt_at"], given_up["error"]) == (None, "The receiver answered 500.")


async def test_a_receiver_says_how_long_to_wait(world: World, friends: Friends, receiver: Receiver) -> None:
    receiver.answers = [web.Response(status=429, headers={"Retry-After": "4000"})]
    webhook = await add_webhook(friends.admin, friends.stream_id, receiver.url, events=["video.ready"])
    await world.ready(friends.uploader, friends.stream_id)
    await settled(friends, webhook, 1, "pending")
    assert await world.pool.fetchval("SELECT due_at > now() + interval '3900 s' FROM deliveries")


async def test_410_is_the_end(world: World, friends: Friends, receiver: Receiver) -> None:
    receiver.answers = [web.Response(status=410)]
    webhook = await add_webhook(friends.admin, friends.stream_id, receiver.url, events=["video.ready"])
    base = f"/streams/{friends.stream_id}/webhooks"
    await world.ready(friends.uploader, friends.stream_id)
    ended = await settled(friends, webhook, 1, "failed")
    assert (ended["response_status"], "disabled" in ended["error"]) == (410, True)
    (listed,) = (await friends.admin.get(base)).json["webhooks"]
    assert listed["enabled"] is False
    await world.ready(friends.uploader, friends.stream_id)
    assert len(await deliveries_of(friends, webhook)) == 1
    refused = await friends.admin.post(f"{base}/{webhook['id']}/deliveries/{ended['id']}/replay")
    assert (refused.status, refused.error) == (409, "Webhook is disabled")
    assert (await friends.admin.post(f"{base}/{webhook['id']}/test")).status == 409
    again = {"enabled": True}
    assert (await friends.admin.ask("PUT", f"{base}/{webhook['id']}", json=again)).json["enabled"] is True
    assert (await friends.admin.post(f"{base}/{webhook['id']}/test")).status == 202


async def test_replay_and_test(world: World, friends: Friends, receiver: Receiver) -> None:
    webhook = await add_webhook(friends.admin, friends.stream_id, receiver.url)
    base = f"/streams/{friends.stream_id}/webhooks/{webhook['id']}"
    tried = await friends.admin.post(f"{base}/test")
    assert (tried.status, tried.json["event"], tried.json["state"]) == (202, "webhook.test", "pending")
    first = await settled(friends, webhook, 1, "delivered")
    assert receiver.heard[0].json["type"] == "webhook.test"
    again = await friends.admin.post(f"{base}/deliveries/{first['id']}/replay")
    assert (again.status, again.json["state"], again.json["attempts"]) == (202, "pending", 0)
    await has_heard(receiver, 2)
    assert receiver.heard[0].headers["webhook-id"] == receiver.heard[1].headers["webhook-id"] == first["id"]
    assert receiver.heard[0].body == receiver.heard[1].body
    await settled(friends, webhook, 1, "delivered")
    assert (await friends.admin.post(f"{base}/deliveries/{UUID(int=7)}/replay")).error == "Delivery not found"
    other = await add_webhook(friends.admin, friends.stream_id, receiver.url)
    elsewhere = f"/streams/{friends.stream_id}/webhooks/{other['id']}/deliveries/{first['id']}/replay"
    assert (await friends.admin.post(elsewhere)).error == "Delivery not found"


async def test_two_gateways_send_each_once(
    world: World, friends: Friends, receiver: Receiver, gateway_database: str, tmp_path: Path
) -> None:
    webhook = await add_webhook(friends.admin, friends.stream_id, receiver.url, events=["video.ready"])
    chosen = settings(gateway_database, tmp_path / "other", webhook_allowed_hosts="127.0.0.1")
    async with serving(chosen) as second, second.running():
        videos = [await world.ready(friends.uploader, friends.stream_id) for _ in range(6)]
        await has_heard(receiver, 6)

        async def done() -> bool:
            return {delivery["state"] for delivery in await deliveries_of(friends, webhook)} == {"delivered"}

        await eventually(done)
    assert sorted(heard.json["data"]["video_id"] for heard in receiver.heard) == sorted(str(v) for v in videos)


async def test_a_slow_receiver_holds_up_nobody_else(world: World, friends: Friends, receiver: Receiver) -> None:
    """It is sent one thing at a time, however much waits for it."""
    silent = await asyncio.start_server(lambda *_: asyncio.sleep(3600), "127.0.0.1", 0)
    async with silent:
        port = silent.sockets[0].getsockname()[1]
        slow = await add_webhook(friends.admin, friends.stream_id, f"http://127.0.0.1:{port}/")
        quick = await add_webhook(friends.admin, friends.stream_id, receiver.url)
        for webhook, count in ((slow, 20), (quick, 3)):
            for number in range(count):
                await friends.admin.post(f"/streams/{friends.stream_id}/webhooks/{webhook['id']}/test")
                await has_heard(receiver, number + 1 if webhook is quick else 0)
        assert sum(delivery["attempts"] for delivery in await deliveries_of(friends, slow)) == 1


async def test_one_persons_many_slow_receivers_hold_up_nobody_else(
    world: World, friends: Friends, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many webhooks they made, some of what can be sent at once is left for others."""
    monkeypatch.setattr(outgoing, "TIMEOUT_S", 50.0)
    silent = await asyncio.start_server(lambda *_: asyncio.sleep(3600), "127.0.0.1", 0)
    async with silent:
        address = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}/"
        slow = [await add_webhook(friends.admin, friends.stream_id, address) for _ in range(AT_ONCE)]
        for webhook in slow:
            await friends.admin.post(f"/streams/{friends.stream_id}/webhooks/{webhook['id']}/test")

        async def begun() -> bool:
            return bool(await world.pool.fetchval("SELECT count(*) FROM deliveries WHERE attempts > 0") == PER_PERSON)

        await eventually(begun)
        other = await world.stream(friends.outsider)
        quick = await add_webhook(friends.outsider, other, receiver.url)
        await friends.outsider.post(f"/streams/{other}/webhooks/{quick['id']}/test")
        await has_heard(receiver, 1)
        begun_and_not_ended = "SELECT count(*) FROM deliveries WHERE delivered_at IS NULL AND attempts > 0"
        assert await world.pool.fetchval(begun_and_not_ended) == PER_PERSON


async def test_one_that_is_deleted_is_told_nothing_more(world: World, friends: Friends, receiver: Receiver) -> None:
    receiver.answers = [web.Response(status=500)]
    webhook = await add_webhook(friends.admin, friends.stream_id, receiver.url, events=["video.ready"])
    await world.ready(friends.uploader, friends.stream_id)
    await settled(friends, webhook, 1, "pending")
    base = f"/streams/{friends.stream_id}/webhooks/{webhook['id']}"
    assert (await friends.admin.ask("DELETE", base)).status == 204
    assert await world.rows("deliveries") == []
    for method, path in (("DELETE", base), ("GET", f"{base}/deliveries"), ("POST", f"{base}/test")):
        assert (await friends.admin.ask(method, path)).error == "Webhook not found"


async def test_of_a_deleted_video_nothing_is_kept_or_told(world: World, friends: Friends, receiver: Receiver) -> None:
    receiver.answers = [web.Response(status=500)]
    webhook = await add_webhook(friends.admin, friends.stream_id, receiver.url, events=["video.ready"])
    video_id = await world.ready(friends.uploader, friends.stream_id)
    await settled(friends, webhook, 1, "pending")
    assert (await friends.uploader.ask("DELETE", f"/videos/{video_id}")).status == 204
    assert await world.rows("deliveries") == []
    assert await deliveries_of(friends, webhook) == []
