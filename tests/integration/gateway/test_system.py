"""The gateway about itself, and the web app's cross-origin requests."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clipstream.common.contracts.events import ClipAdmitted
from clipstream.common.errors import Outage
from clipstream.gateway.app import openapi
from integration.gateway.world import World, serving, settings

WEB_APP = "https://clips.example.org"


async def test_a_greeting(world: World) -> None:
    assert (await world.nobody.get("/")).json["name"] == "clipstream"


async def test_the_document_is_served(world: World) -> None:
    ann = await world.person("Ann")
    answer = await ann.get("/openapi.json")
    assert answer.json == json.loads(openapi())
    again = await ann.get("/openapi.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.raw) == (304, b"")


async def test_healthy(world: World) -> None:
    answer = await world.nobody.get("/health")
    assert answer.status == 200
    assert set(answer.json) == {
        "status", "database", "storage", "broker", "ffmpeg", "vectors", "uptime", "pool",
    }  # fmt: skip
    assert (answer.json["status"], answer.json["database"], answer.json["storage"]) == (
        "healthy",
        "connected",
        "available",
    )
    assert set(answer.json["pool"]) == {"size", "idle", "in_use"}
    assert answer.json["ffmpeg"] == "unavailable", "no transcode worker runs here"


async def test_a_transcode_worker_is_noticed(world: World) -> None:
    async def work(_: object) -> None: ...

    await world.bus.consume("transcode", [ClipAdmitted], work)
    assert (await world.nobody.get("/health")).json["ffmpeg"] == "ready"


async def test_unhealthy_names_what_is_missing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> None:
        raise Outage("The store does not answer.")

    monkeypatch.setattr(world.store, "check", away)
    await world.bus.close()
    answer = await world.nobody.get("/health")
    assert (answer.status, answer.json) == (
        503,
        {"status": "unhealthy", "issues": ["storage_unavailable", "broker_connection_failed"]},
    )


@pytest.fixture
async def with_web_app(gateway_database: str, tmp_path: Path) -> AsyncIterator[World]:
    async with serving(settings(gateway_database, tmp_path, public_web_url=f"{WEB_APP}/home")) as made:
        yield made


async def test_the_web_app_may_ask_from_its_own_origin(with_web_app: World) -> None:
    asked = {"Origin": WEB_APP, "Access-Control-Request-Method": "DELETE"}
    preflight = await with_web_app.nobody.ask("OPTIONS", "/videos/x", headers=asked)
    assert preflight.status == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == WEB_APP
    assert "authorization" in preflight.headers["Access-Control-Allow-Headers"]
    for path in ("/", "/nowhere", "/streams"):
        answer = await with_web_app.nobody.get(path, headers={"Origin": WEB_APP})
        assert answer.headers["Access-Control-Allow-Origin"] == WEB_APP, path
        assert "Origin" in answer.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"{WEB_APP}.evil.example", f"{WEB_APP}:8443", "http://clips.example.org"]
)
async def test_nobody_else_may(with_web_app: World, origin: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    preflight = await with_web_app.nobody.ask("OPTIONS", "/streams", headers=asked)
    answer = await with_web_app.nobody.get("/", headers={"Origin": origin})
    assert preflight.status == 405
    assert "Access-Control-Allow-Origin" not in {**preflight.headers, **answer.headers}


async def test_without_a_web_app_no_origin_is_answered(world: World) -> None:
    answer = await world.nobody.get("/", headers={"Origin": WEB_APP})
    assert "Access-Control-Allow-Origin" not in answer.headers
