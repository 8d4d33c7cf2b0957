"""Our own vector process, killed, stopped, and asked by strangers."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest
from aiohttp.test_utils import unused_port
from pydantic import SecretStr, ValidationError

from clipstream.common.errors import Outage
from clipstream.common.settings import VectorSettings
from clipstream.common.vectors import Filter, Point, VectorIndex, open_index
from clipstream.common.vectors.edge_server import EdgeServer, EdgeSettings
from clipstream.common.vectors.engine import Engine, EngineBroken
from fixtures.vectors import EdgeProcess, edge_process

DIMENSION = 16


def points(first: int, count: int) -> list[Point]:
    return [
        Point(UUID(int=number + 1), [1.0, float(number), *[0.0] * (DIMENSION - 2)], {"stream_id": "s", "t": number})
        for number in range(first, first + count)
    ]


async def test_killed_it_loses_nothing_it_acknowledged(own_edge: EdgeProcess) -> None:
    index = await open_index(own_edge.settings)
    await index.ensure_collection("frames", DIMENSION, keyword_fields=["stream_id"])
    acknowledged = 0

    async def write() -> None:
        nonlocal acknowledged
        while True:
            await index.upsert("frames", points(acknowledged, 100))
            acknowledged += 100

    for _ in range(6):
        before = acknowledged
        writing = asyncio.create_task(write())
        while acknowledged < before + 1500:
            await asyncio.sleep(0)
            assert not writing.done() or writing.result() is None
        await own_edge.kill()
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await own_edge.start()
        stored = await index.count("frames", Filter(match={"stream_id": ["s"]}))
        assert acknowledged <= stored <= acknowledged + 100
    [hit] = await index.search("frames", points(5, 1)[0].vector, limit=1)
    assert hit.id == UUID(int=6)
    await index.close()


async def test_deletions_and_collections_outlive_a_kill(own_edge: EdgeProcess) -> None:
    index = await open_index(own_edge.settings)
    for name in ("frames", "text"):
        await index.ensure_collection(name, DIMENSION, keyword_fields=["stream_id"])
        await index.upsert(name, points(0, 10))
    await index.delete("text", Filter(match={"stream_id": ["s"]}))
    await own_edge.kill()
    await own_edge.start()
    assert (await index.count("frames"), await index.count("text")) == (10, 0)
    await index.ensure_collection("frames", DIMENSION, keyword_fields=["stream_id"])
    await index.close()


async def test_asked_while_it_restarts_the_answer_is_only_late(own_edge: EdgeProcess) -> None:
    index = await open_index(own_edge.settings)
    await index.ensure_collection("frames", DIMENSION, keyword_fields=["stream_id"])
    await own_edge.kill()
    asked = asyncio.create_task(index.count("frames"))
    await own_edge.start()
    assert await asked == 0
    await index.close()


async def test_away_it_is_an_outage(own_edge: EdgeProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipstream.common.vectors.edge._PAUSES_S", (0.01,))
    index = await open_index(own_edge.settings)
    assert await own_edge.stop() == 0
    for call in (index.check(), index.count("frames"), index.upsert("frames", points(0, 1))):
        with pytest.raises(Outage):
            await call
    await own_edge.start()
    await index.check()
    await index.close()


async def test_stopped_it_has_everything_on_the_disk(own_edge: EdgeProcess) -> None:
    index = await open_index(own_edge.settings)
    await index.ensure_collection("frames", DIMENSION, keyword_fields=["stream_id"])
    await index.upsert("frames", points(0, 500))
    assert await own_edge.stop() == 0
    engine = Engine(own_edge.home / "vectors")
    assert engine.count("frames", None) == 500
    engine.close()
    await index.close()


async def test_one_directory_has_one_owner(own_edge: EdgeProcess) -> None:
    with pytest.raises(Outage, match="Another process"):
        Engine(own_edge.home / "vectors")
    second = await own_edge.spawn()
    assert await second.wait() != 0
    index = await open_index(own_edge.settings)
    await index.check()  # the socket is still the first one's
    await index.close()


async def test_its_directory_may_hold_what_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "vectors/photos").mkdir(parents=True)
    (tmp_path / "vectors/photos/cat.jpg").write_bytes(b"cat")
    (tmp_path / "vectors/half.draft").mkdir()
    engine = Engine(tmp_path / "vectors")
    engine.ensure("half", 4, ["stream_id"])
    engine.close()
    assert (tmp_path / "vectors/photos/cat.jpg").read_bytes() == b"cat"


async def test_the_socket_is_for_its_user_only(own_edge: EdgeProcess) -> None:
    assert stat.S_IMODE((own_edge.home / "vectors.sock").stat().st_mode) & 0o077 == 0
    assert stat.S_IMODE((own_edge.home / "vectors").stat().st_mode) & 0o077 == 0


async def test_a_port_asks_for_the_token() -> None:
    port = unused_port()
    async with edge_process(VECTORS_URL=f"tcp://127.0.0.1:{port}", VECTORS_TOKEN="right") as process:
        url = f"tcp://127.0.0.1:{port}"
        for token in (None, "wrong", "righ"):
            stranger = await open_index(VectorSettings(vectors_url=url, vectors_token=token and SecretStr(token)))
            with pytest.raises(Outage, match="token"):
                await stranger.count("frames")
            await stranger.close()
        index = await open_index(VectorSettings(vectors_url=url, vectors_token=SecretStr("right")))
        await index.ensure_collection("frames", DIMENSION, keyword_fields=["stream_id"])
        assert await index.count("frames") == 0
        await index.close()
        assert process.home.exists()


@pytest.mark.parametrize("url", ["http://host:1", "unix:relative", "tcp://host", f"unix:/{'x' * 110}"])
def test_an_address_that_cannot_be_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValidationError, match="VECTORS_URL"):
        EdgeSettings(vectors_url=url, vectors_dir=Path("/nowhere"), vectors_token=SecretStr("t"))


def test_a_port_without_a_token_is_refused_at_the_start() -> None:
    with pytest.raises(ValidationError, match="VECTORS_TOKEN"):
        EdgeSettings(vectors_url="tcp://0.0.0.0:6000", vectors_dir=Path("/nowhere"))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"points": [{"id": "x"}]}', b'{"points": [{"id": 1, "vector": "!", "payload": {}}]}']
)
async def test_a_malformed_request_is_refused_in_words(edge: EdgeProcess, edge_index: VectorIndex, body: bytes) -> None:
    await edge_index.ensure_collection("malformed", DIMENSION, keyword_fields=["stream_id"])
    connector = aiohttp.UnixConnector(edge.url.removeprefix("unix:"))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.post("http://vectors/collections/malformed/upsert", data=body) as answer,
    ):
        assert answer.status == 400
        assert json.loads(await answer.read())["error"]
    assert await edge_index.count("malformed") == 0


async def test_a_broken_engine_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise EngineBroken

    monkeypatch.setattr(Engine, "count", broken)
    monkeypatch.setattr("clipstream.common.vectors.edge._PAUSES_S", (0.05,) * 20)
    settings = EdgeSettings(vectors_url=f"unix:{tmp_path}/v.sock", vectors_dir=tmp_path / "vectors", internal_port=0)
    serving = asyncio.create_task(EdgeServer(settings).run(asyncio.Event()))
    index = await open_index(VectorSettings(vectors_url=settings.vectors_url))
    await index.check()
    with pytest.raises(Outage):
        await index.count("frames")
    assert await serving == 1
    await index.close()


async def test_health_and_metrics_are_served_beside_it() -> None:
    port = unused_port()
    async with edge_process(INTERNAL_PORT=str(port)), aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/health") as answer:
            assert answer.status == 200
            assert (await answer.json())["checks"] == {"engine": "ok"}
        async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            assert answer.status == 200
            assert "process_cpu_seconds" in await answer.text()
