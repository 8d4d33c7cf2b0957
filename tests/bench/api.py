"""`make bench-api`: the gateway's busiest routes beside bare aiohttp handlers that answer with the same bytes.

Two handlers: one that only answers, and one that first does what such a route cannot do without, verify a JWT and read a
row from PostgreSQL; the target is a share of the second one's rate. The gateway runs as one process with its own
PostgreSQL, RabbitMQ and disk storage, as `make run` starts it, rate limits off. Each server under test has one core to
itself; what asks and the database share the other. Rounds of all three alternate, ratios are medians of rounds.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
from pydantic import AmqpDsn
from yarl import URL

from bench import bare, load
from bench.processes import resident_mb
from bench.report import ROOT, Report
from clipstream.common.bus.rabbit import connect
from clipstream.common.contracts import keys
from clipstream.common.contracts.ids import StreamId, VideoId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.settings import BusSettings
from clipstream.common.store.disk.store import DiskStore
from clipstream.standalone import plan
from clipstream.standalone.postgres import PostgreSQL
from clipstream.standalone.rabbitmq import RabbitMQ
from corpus.stories import Story
from fixtures.cluster import running

ROUNDS = 5
PER_ROUND = 1000
CONNECTIONS = 32
FLAT_OVER = 100_000
SEGMENT = bytes(range(256)) * 256  # 64 KiB
UPLOADS, WITHIN_S = 1000, 10.0
READ = "GET /videos/{id}"


@dataclass(frozen=True)
class Subject:
    """A gateway with somebody signed in and a ready video."""

    host: str
    port: int
    pid: int
    token: str
    stream_id: str
    video_id: str
    routes: Mapping[str, str]  # what a route is called, and a path of it

    def get(self, name: str) -> bytes:
        signed = {} if name.startswith("GET /media") else {"Authorization": f"Bearer {self.token}"}
        return load.request("GET", self.routes[name], signed)


def main() -> None:
    report = Report("api", packages=("aiohttp", "asyncpg", "pydantic", "pyjwt"))
    with tempfile.TemporaryDirectory(prefix="clipstream-bench-") as home:
        root = Path(home)
        with (
            RabbitMQ(root / "rabbitmq", ROOT / ".tools") as broker,
            PostgreSQL(root / "postgres", ROOT / ".tools") as database,
            running(
                root,
                broker.url,
                database.url,
                {"STORAGE_ROOT": str(root / "media")},
                plan_services=lambda site: [s for s in plan.services(site) if s.name == "gateway"],
                DEV_LOGIN="true",
                RATE_LIMITS="off",
                LOG_LEVEL="INFO",
            ) as run,
        ):
            pid = run.supervisor.pid("gateway")
            assert pid is not None
            subject = asyncio.run(_prepare(run.site.gateway, pid, broker.url, root / "media"))
            _pin(subject.pid, 0)
            _pin(os.getpid(), 1)
            with _bare(root, asyncio.run(_payloads(subject)), database.url, subject.video_id) as bare_port:
                asyncio.run(_routes(report, subject, bare_port))
            asyncio.run(_uploads(report, subject))
            asyncio.run(_flat(report, subject))
    report.write()


async def _prepare(url: str, pid: int, amqp_url: str, media: Path) -> Subject:
    async with aiohttp.ClientSession(url) as session:
        login = await _json(session.post("/auth/dev", json={"name": "Bench"}))
        session.headers["Authorization"] = f"Bearer {login['app_token']}"
        stream_id = (await _json(session.post("/streams", json={"name": "Bench"})))["id"]
        for _ in range(20):
            made = await _json(session.post(f"/streams/{stream_id}/videos", json={"filename": "a.mp4", "size": 5}))
            upload = made["upload"]
            async with session.put(upload["url"], data=b"bench", headers=upload["headers"]) as sent:
                assert sent.ok
            await _json(session.post(f"/videos/{made['id']}/complete"))
        video_id = VideoId(UUID(made["id"]))
        await _tell(amqp_url, Story(video_id, StreamId(UUID(stream_id))))
        await _store(media, video_id)
        while (await _json(session.get(f"/videos/{video_id}")))["status"] != "ready":
            await asyncio.sleep(0.05)
        playlist = (await _json(session.get(f"/videos/{video_id}/stream")))["hls_url"]
    segment = URL(playlist).path.rsplit("/", 1)[0] + "/segments/plan/run/480p.m4s"
    target = URL(url)
    assert target.host is not None
    assert target.port is not None
    routes = {
        READ: f"/videos/{video_id}",
        "GET /streams": "/streams",
        "GET /streams/{id}": f"/streams/{stream_id}",
        "GET /streams/{id}/videos": f"/streams/{stream_id}/videos",
        "GET /videos/{id}/stream": f"/videos/{video_id}/stream",
        "GET /videos/{id}/processing": f"/videos/{video_id}/processing",
        "GET /videos/{id}/transcript": f"/videos/{video_id}/transcript",
        "GET /files/videos/{id}/thumbnail": f"/files/videos/{video_id}/thumbnail",
        "GET /auth/user": "/auth/user",
        "GET /media segment of 64 KiB": segment,
    }
    return Subject(target.host, target.port, pid, login["app_token"], stream_id, str(video_id), routes)


async def _tell(amqp_url: str, story: Story) -> None:
    bus = await connect(BusSettings(amqp_url=AmqpDsn(amqp_url)), "bench")
    for envelope in story.finish().told:
        await bus.publish(envelope)
    await bus.close()


async def _store(media: Path, video_id: VideoId) -> None:
    store = DiskStore(media, "clipstream")
    for key, body in {
        keys.processed(video_id, "master.m3u8"): b"#EXTM3U\n480p.m3u8\n",
        keys.processed(video_id, "segments/plan/run/480p.m4s"): SEGMENT,
        keys.transcript(video_id): json.dumps({"segments": [{"text": "enemy on the left"}] * 20}).encode(),
        keys.thumbnail(video_id): SEGMENT[:20_000],
    }.items():
        await store.put(ObjectKey(key), body, content_type="application/octet-stream")
    await store.close()


async def _payloads(subject: Subject) -> dict[str, bytes]:
    """What each route answers, for the bare server to answer with as well."""
    found = {}
    async with aiohttp.ClientSession(f"http://{subject.host}:{subject.port}") as session:
        for name, path in subject.routes.items():
            headers = {} if name.startswith("GET /media") else {"Authorization": f"Bearer {subject.token}"}
            async with session.get(path, headers=headers) as answer:
                assert answer.status == 200, (name, answer.status, await answer.text())
                found[name] = await answer.read()
    return found


@contextmanager
def _bare(root: Path, payloads: Mapping[str, bytes], database_url: str, video_id: str) -> Iterator[int]:
    directory, port = root / "payloads", 18_099
    directory.mkdir()
    for number, body in enumerate(payloads.values()):
        (directory / str(number)).write_bytes(body)
    command = [sys.executable, "-m", "bench.bare", str(directory), str(port), database_url, video_id]
    process = subprocess.Popen(command, cwd=ROOT / "tests")
    try:
        _pin(process.pid, 0)
        _await_server(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _await_server(port: int) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return


async def _routes(report: Report, subject: Subject, bare_port: int) -> None:
    async def rate(host: str, port: int, raw: bytes) -> load.Outcome:
        outcome = await load.closed_loop(host, port, [raw], count=PER_ROUND, connections=CONNECTIONS)
        assert set(outcome.statuses) == {200}, (raw, outcome.statuses)
        return outcome

    for number, name in enumerate(subject.routes):
        own, static, read = [], [], []
        for _ in range(ROUNDS):
            own.append(await rate(subject.host, subject.port, subject.get(name)))
            static.append(await rate("127.0.0.1", bare_port, _plain(f"/static/{number}")))
            read.append(await rate("127.0.0.1", bare_port, _plain(f"/read/{number}")))
        report.add(f"{name}, rate", statistics.median(o.rate for o in own), "requests/s")
        report.add(f"{name}, 99th percentile", statistics.median(o.p99_ms for o in own), "ms")
        of_read = statistics.median(o.rate / b.rate for o, b in zip(own, read, strict=True))
        report.add(
            f"{name}, of bare aiohttp with JWT and one read", of_read, "ratio", ">= 0.5" if name == READ else None
        )
        of_static = statistics.median(o.rate / b.rate for o, b in zip(own, static, strict=True))
        report.add(f"{name}, of bare aiohttp that only answers", of_static, "ratio")
        if name == READ:
            report.add("bare aiohttp with JWT and one read", statistics.median(o.rate for o in read), "requests/s")
            report.add("bare aiohttp that only answers", statistics.median(o.rate for o in static), "requests/s")


def _plain(path: str) -> bytes:
    return load.request("GET", path, {"Authorization": f"Bearer {bare.TOKEN}"})


async def _uploads(report: Report, subject: Subject) -> None:
    """Uploads opened in an open loop: each is a row of its own with a signed address."""
    headers = {"Authorization": f"Bearer {subject.token}"}
    path = f"/streams/{subject.stream_id}/videos"
    asked = [
        load.request("POST", path, headers, json.dumps({"filename": f"{uuid4()}.mp4", "size": 1_000_000}).encode())
        for _ in range(UPLOADS)
    ]
    outcome = await load.open_loop(subject.host, subject.port, asked, seconds=WITHIN_S)
    good = sum(count for status, count in outcome.statuses.items() if status in (201, 429, 503))
    report.add("uploads opened in 10 s, answered 201", outcome.statuses[201], "of 1000")
    report.add("uploads opened in 10 s, answered otherwise than 2xx, 429, 503", UPLOADS - good, "requests", "<= 0")
    report.add("uploads opened in 10 s, 99th percentile", outcome.p99_ms / 1000, "s", "<= 2")


async def _flat(report: Report, subject: Subject) -> None:
    asked = [subject.get(name) for name in subject.routes]
    await load.closed_loop(subject.host, subject.port, asked, count=FLAT_OVER // 10, connections=CONNECTIONS)
    before = resident_mb(subject.pid)
    outcome = await load.closed_loop(subject.host, subject.port, asked, count=FLAT_OVER, connections=CONNECTIONS)
    after = resident_mb(subject.pid)
    assert set(outcome.statuses) == {200}, outcome.statuses
    report.add("memory before 100,000 requests", before, "MB")
    report.add("memory after 100,000 requests", after, "MB")
    report.add("memory after, of before", after / before, "ratio", "<= 1.1")


def _pin(pid: int, core: int) -> None:
    """One core, where there are two or more."""
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(pid, {core})


async def _json(asked: AbstractAsyncContextManager[aiohttp.ClientResponse]) -> Any:
    async with asked as answer:
        assert answer.ok, await answer.text()
        return await answer.json()


if __name__ == "__main__":
    main()
