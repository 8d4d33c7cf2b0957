"""Somebody else's server that webhooks are sent to, and what tests of webhooks ask."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from integration.gateway.conftest import Friends
from integration.gateway.world import Somebody, World, eventually

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


async def add_webhook(admin: Somebody, stream_id: str, url: str, **more: Any) -> dict[str, Any]:
    answer = await admin.post(f"/streams/{stream_id}/webhooks", {"url": url, "events": ALL} | more)
    assert answer.status == 201, answer.raw
    made: dict[str, Any] = answer.json
    return made


async def deliveries_of(friends: Friends, webhook: Mapping[str, Any]) -> list[dict[str, Any]]:
    answer = await friends.admin.get(f"/streams/{friends.stream_id}/webhooks/{webhook['id']}/deliveries")
    found: list[dict[str, Any]] = answer.json["deliveries"]
    return found


async def has_heard(receiver: Receiver, count: int) -> None:
    async def enough() -> bool:
        return len(receiver.heard) >= count

    await eventually(enough)


async def settled(friends: Friends, webhook: Mapping[str, Any], attempts: int, state: str) -> dict[str, Any]:
    async def there() -> bool:
        (delivery,) = await deliveries_of(friends, webhook)
        return (
            delivery["attempts"] == attempts and delivery["state"] == state and delivery["response_status"] is not None
        )

    await eventually(there)
    return (await deliveries_of(friends, webhook))[0]


async def hurry(world: World) -> None:
    """Let the time pass until the next attempt."""
    await world.pool.execute("UPDATE deliveries SET due_at = now() WHERE due_at > now()")


def genuine(heard: Heard, secret: str) -> bool:
    """As a receiver checks it, by the specification and without our code."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{heard.headers['webhook-id']}.{heard.headers['webhook-timestamp']}.".encode() + heard.body
    made = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return heard.headers["webhook-signature"] == f"v1,{made}"
