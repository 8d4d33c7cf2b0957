"""The internal server over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from clipstream.common.errors import Outage
from clipstream.common.obs import health, metrics
from clipstream.common.obs.health import Check, InternalServer


@asynccontextmanager
async def served(**checks: Check) -> AsyncIterator[tuple[InternalServer, aiohttp.ClientSession]]:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    server = InternalServer("127.0.0.1", 0, checks, [web.get("/hello", hello)])
    await server.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
        yield server, session
    await server.close()


async def fine() -> None:
    return None


async def broken() -> None:
    raise Outage("RabbitMQ does not answer.")


async def test_a_healthy_service_says_so() -> None:
    async with served(broker=fine) as (_, session), session.get("/health") as answer:
        body = await answer.json()
        assert answer.status == 200
        assert (body["status"], body["checks"]) == ("healthy", {"broker": "ok"})


async def test_what_is_wrong_is_told_in_words() -> None:
    async with served(broker=broken, storage=fine) as (_, session), session.get("/health") as answer:
        body = await answer.json()
        assert answer.status == 503
        assert body["issues"] == ["broker"]
        assert body["checks"] == {"broker": "RabbitMQ does not answer.", "storage": "ok"}


async def test_a_check_that_hangs_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(health, "_CHECK_S", 0.05)
    async with served(broker=hang) as (_, session), session.get("/health") as answer:
        assert answer.status == 503
        assert "no answer" in (await answer.json())["checks"]["broker"]


async def test_a_stopping_service_is_not_to_be_sent_work() -> None:
    async with served(broker=fine) as (server, session):
        server.stopping()
        async with session.get("/health") as answer:
            assert answer.status == 503
            assert (await answer.json())["issues"] == ["stopping"]


async def test_metrics_and_own_routes_are_served() -> None:
    metrics.UNROUTABLE.labels("clip.ready.v1").inc()
    async with served() as (_, session):
        async with session.get("/metrics") as answer:
            assert 'clipstream_unroutable_events_total{type="clip.ready.v1"}' in await answer.text()
        async with session.get("/hello") as answer:
            assert await answer.text() == "hello"
