"""The gateway as a process, on a real RabbitMQ and PostgreSQL: it starts, says what is wrong, stops, and loses nothing."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from fixtures.broker import Broker
from integration.gateway.world import FILE, eventually

SECRET = "s" * 40


class Running:
    """A gateway process, its address, and what it logged."""

    def __init__(self, process: Process, port: int, internal: int) -> None:
        self.process = process
        self.base = f"http://127.0.0.1:{port}"
        self.internal = f"http://127.0.0.1:{internal}"

    async def stop(self, how: signal.Signals) -> tuple[int, list[dict[str, Any]]]:
        """Its exit status and the rest of its log."""
        self.process.send_signal(how)
        out, _ = await asyncio.wait_for(self.process.communicate(), 20)
        return self.process.returncode or 0, [json.loads(line) for line in out.splitlines()]


def _environment(broker: str, database: str, root: Path, **more: str) -> dict[str, str]:
    return {
        "AMQP_URL": broker,
        "DATABASE_URL": database,
        "STORAGE_ROOT": str(root),
        "SECRET_KEY": SECRET,
        "DEV_LOGIN": "on",
        "GATEWAY_PORT": "0",
        "INTERNAL_PORT": "0",
        **more,
    }


@asynccontextmanager
async def running(environment: dict[str, str]) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clipstream.gateway.main", stdout=PIPE, env=environment, limit=1 << 20
    )
    assert process.stdout is not None
    try:
        ports: dict[str, int] = {}
        async with asyncio.timeout(60):
            while not {"gateway_started", "internal_server_started"} <= ports.keys():
                line = json.loads(await process.stdout.readline())
                if "port" in line:
                    ports[line["event"]] = line["port"]
        yield Running(process, ports["gateway_started"], ports["internal_server_started"])
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def signed_in(gateway: Running) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(gateway.base) as session:
        async with session.post("/auth/dev", json={"name": "Ann"}) as answer:
            session.headers["Authorization"] = f"Bearer {(await answer.json())['app_token']}"
        yield session


async def _json(session: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> Any:
    async with session.request(method, path, json=body) as answer:
        return await answer.json()


async def _upload(session: aiohttp.ClientSession) -> str:
    stream = await _json(session, "POST", "/streams", {"name": "Friday"})
    made = await _json(session, "POST", f"/streams/{stream['id']}/videos", {"filename": "a.mp4", "size": len(FILE)})
    url = URL(made["upload"]["url"], encoded=True)
    async with session.put(url, data=FILE, headers=made["upload"]["headers"]) as answer:
        assert answer.status == 200
    await _json(session, "POST", f"/videos/{made['id']}/complete")
    return str(made["id"])


async def test_it_serves_announces_and_stops(broker: Broker, database_url: str, tmp_path: Path) -> None:
    async with running(_environment(broker.url, database_url, tmp_path)) as gateway, signed_in(gateway) as session:

        async def healthy() -> bool:
            return bool((await _json(session, "GET", "/health"))["status"] == "healthy")

        await eventually(healthy, 30)
        async with session.get(f"{gateway.internal}/health") as answer:
            assert answer.status == 200
        async with session.get(f"{gateway.internal}/metrics") as answer:
            assert "clipstream_http_request_duration_seconds" in await answer.text()
        async with session.get("/metrics") as answer:
            assert answer.status == 404
        await _upload(session)

        async def announced() -> bool:
            return await broker.depth("ingest") == 1

        await eventually(announced, 20)
        stream_id = (await _json(session, "GET", "/streams"))["streams"][0]["id"]
        async with session.get(f"/streams/{stream_id}/events") as live:
            await live.content.readline()
            began = time.monotonic()
            status, log = await gateway.stop(signal.SIGTERM)
        assert status == 0
        assert time.monotonic() - began < 10
        assert "service_stopped" in [line["event"] for line in log]
        assert SECRET not in json.dumps(log)


async def test_what_was_accepted_survives_a_kill(broker: Broker, database_url: str, tmp_path: Path) -> None:
    """Accepted while the broker is away, killed, started again: the event comes out once the broker is back."""
    environment = _environment(broker.url, database_url, tmp_path)
    async with running(environment) as gateway, signed_in(gateway) as session:
        await broker.control("stop_app")
        try:
            video_id = await _upload(session)
            assert (await _json(session, "GET", f"/videos/{video_id}"))["status"] == "processing"
            await gateway.stop(signal.SIGKILL)
        finally:
            await broker.control("start_app")
            await broker.control("await_startup")
    async with running(environment) as again:

        async def announced() -> bool:
            return await broker.depth("ingest") >= 1

        await eventually(announced, 60)
        async with signed_in(again) as session:
            assert (await _json(session, "GET", f"/videos/{video_id}"))["status"] == "processing"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"SECRET_KEY": "short"}, "at least 32 bytes"),
        ({"SECRET_KEY": ""}, "secret_key"),
        ({"PUBLIC_API_URL": "https://api.example.org"}, "unset one of them"),
        ({"STORAGE_ROOT": ""}, "no storage is configured"),
    ],
)
async def test_it_says_why_it_does_not_start(tmp_path: Path, change: dict[str, str], words: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "clipstream.gateway.main",
        stderr=PIPE,
        env=_environment("amqp://u:p@127.0.0.1:1/", "postgresql://u:p@127.0.0.1:1/d", tmp_path, **change),
    )
    try:
        _, said = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 1
    assert words in said.decode()
    assert "Traceback" not in said.decode()
    assert "short" not in said.decode()
