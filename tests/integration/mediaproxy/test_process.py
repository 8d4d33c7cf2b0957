"""The media proxy as a process: it starts, says what is wrong, stops, and what dies with it is an outage and no loss."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import unused_port

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import NotFound, Outage
from clipstream.common.settings import StoreSettings
from clipstream.common.store import ObjectStore, open_store
from clipstream.common.store.proxy.store import ProxyStore

TOKEN = "secret-" * 5
KEY = ObjectKey("clips/a.mp4")
LARGE = 64 << 20


class Running:
    """A media proxy process, its addresses, and what it logs."""

    def __init__(self, process: Process, port: int, internal: int) -> None:
        self.process = process
        self.base = f"http://127.0.0.1:{port}"
        self.internal = f"http://127.0.0.1:{internal}"

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> tuple[int, list[dict[str, Any]]]:
        """Its exit status and the rest of its log."""
        self.process.send_signal(signal.SIGTERM)
        out, _ = await asyncio.wait_for(self.process.communicate(), 30)
        return self.process.returncode or 0, [json.loads(line) for line in out.splitlines()]


def environment(root: Path, **more: str) -> dict[str, str]:
    return {
        "STORAGE_ROOT": str(root / "storage"),
        "SCRATCH_DIR": str(root / "scratch"),
        "MEDIA_PROXY_TOKEN": TOKEN,
        "MEDIA_PROXY_PORT": "0",
        "MEDIA_PROXY_URL": "http://127.0.0.1:1",  # its clients' setting, in the same .env
        "INTERNAL_PORT": "0",
        **more,
    }


async def started(root: Path, **more: str) -> Running:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clipstream.mediaproxy.main"), stdout=PIPE, env=environment(root, **more), limit=1 << 20
    )
    assert process.stdout is not None
    ports: dict[str, int] = {}
    async with asyncio.timeout(60):
        while not {"mediaproxy_started", "internal_server_started"} <= ports.keys():
            line = json.loads(await process.stdout.readline())
            if "port" in line:
                ports[line["event"]] = line["port"]
    return Running(process, ports["mediaproxy_started"], ports["internal_server_started"])


@asynccontextmanager
async def client(base: str) -> AsyncIterator[ObjectStore]:
    store = ProxyStore("clipstream", base, TOKEN)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Running]:
    running = await started(tmp_path)
    yield running
    if running.process.returncode is None:
        await running.kill()


@pytest.fixture
async def store(proxy: Running) -> AsyncIterator[ObjectStore]:
    async with client(proxy.base) as store:
        yield store


async def test_it_serves_and_stops_and_logs_no_secret(proxy: Running, store: ObjectStore) -> None:
    await store.check()
    await store.put(KEY, b"frames", content_type="video/mp4")
    url = await store.presign_get(KEY, expires_in=timedelta(minutes=1))
    assert url is not None
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as answer:
            assert await answer.read() == b"frames"
        async with session.get(f"{proxy.internal}/health") as answer:
            assert (answer.status, (await answer.json())["checks"]) == (200, {"storage": "ok"})
        async with session.get(f"{proxy.internal}/metrics") as answer:
            assert 'route="/api/media/' in await answer.text()
    status, log = await proxy.stop()
    assert status == 0
    assert log[-1]["event"] == "service_stopped"
    assert TOKEN not in json.dumps(log)
    assert url.rpartition("=")[2] not in json.dumps(log)
    assert all("request_id" in line for line in log if line["event"] == "request_answered")


async def test_a_proxy_killed_in_the_middle_of_an_upload_shows_nothing(
    proxy: Running, store: ObjectStore, tmp_path: Path
) -> None:
    taken = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        for number in range(LARGE >> 20):
            if number == 32:
                taken.set()
                await proxy.kill()
            yield bytes(1 << 20)

    with pytest.raises(Outage):
        await store.put_stream(KEY, body(), content_type="video/mp4")
    assert taken.is_set()
    large = tmp_path / "large"
    large.write_bytes(bytes(1 << 20))
    for call in (
        store.put(KEY, b"x", content_type="video/mp4"), store.put_file(KEY, large, content_type="video/mp4"),
        store.head(KEY), store.get(KEY), store.read_range(KEY, 0, 1), store.delete(KEY), store.delete_prefix("a"),
        store.check(), anext(store.stream(KEY)), anext(store.list("")),
    ):  # fmt: skip
        with pytest.raises(Outage):
            await call
    again = await started(tmp_path)
    async with client(again.base) as store:
        assert [info async for info in store.list("")] == []
        await store.put_file(KEY, large, content_type="video/mp4", if_absent=True)
    assert (await again.stop())[0] == 0


async def test_a_proxy_killed_in_the_middle_of_a_download_is_an_outage(
    proxy: Running, store: ObjectStore, tmp_path: Path
) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(LARGE)
    await store.put_file(KEY, large, content_type="video/mp4")
    reading = store.stream(KEY)
    await anext(reading)
    await proxy.kill()
    with pytest.raises(Outage):
        await _rest(reading)


async def _rest(reading: AsyncIterator[bytes]) -> int:
    return sum([len(piece) async for piece in reading])


async def test_a_frozen_proxy_is_an_outage(proxy: Running, store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipstream.common.store.proxy.sending._PATIENCE_S", 0.5)

    async def body() -> AsyncIterator[bytes]:
        for number in range(LARGE >> 20):
            if number == 8:
                proxy.process.send_signal(signal.SIGSTOP)
            yield bytes(1 << 20)

    with pytest.raises(Outage, match="stands still"):
        await store.put_stream(KEY, body(), content_type="video/mp4")
    proxy.process.send_signal(signal.SIGCONT)
    with pytest.raises(NotFound):
        await store.head(KEY)


async def test_clients_that_leave_are_no_fault(proxy: Running, store: ObjectStore, tmp_path: Path) -> None:
    went = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield bytes(4 << 20)
        went.set()
        await asyncio.Event().wait()

    sending = asyncio.create_task(store.put_stream(KEY, body(), content_type="video/mp4"))
    await went.wait()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    await store.put(ObjectKey("b"), bytes(LARGE), content_type="video/mp4")
    reading = store.stream(ObjectKey("b"))
    await anext(reading)
    await reading.aclose()  # type: ignore[attr-defined]
    assert [info.key async for info in store.list("")] == ["b"]
    status, log = await proxy.stop()
    assert status == 0
    assert sorted(line["status"] for line in log if line["event"] == "request_answered" and line["status"] > 299) == [
        499,
        499,
    ]
    assert [line for line in log if line["level"] in ("error", "critical", "warning")] == []
    assert list((tmp_path / "storage/incoming").iterdir()) == []


async def test_a_wrong_token_and_a_wrong_address_are_outages(proxy: Running, store: ObjectStore) -> None:
    """Never a missing object: a stage would take that for its clip's fault."""
    for wrong in (ProxyStore("c", proxy.base, "x" * 35), ProxyStore("c", proxy.internal, TOKEN)):
        for call in (wrong.check(), wrong.head(KEY), wrong.get(KEY), wrong.delete(KEY), anext(wrong.list(""))):
            with pytest.raises(Outage, match="MEDIA_PROXY_"):
                await call
        await wrong.close()


async def test_a_proxy_that_starts_after_us_is_awaited(tmp_path: Path) -> None:
    port = str(unused_port())
    settings = StoreSettings.model_validate({"media_proxy_url": f"http://127.0.0.1:{port}", "media_proxy_token": TOKEN})
    opening = asyncio.create_task(open_store(settings))
    await asyncio.sleep(0)
    running = await started(tmp_path, MEDIA_PROXY_PORT=port)
    store = await opening
    await store.check()
    await store.close()
    await running.stop()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"MEDIA_PROXY_TOKEN": "short"}, "at least 32 bytes"),
        ({"MEDIA_PROXY_TOKEN": ""}, "media_proxy_token"),
        ({"STORAGE_ROOT": ""}, "no storage is configured"),
    ],
)
async def test_it_says_why_it_does_not_start(tmp_path: Path, change: dict[str, str], words: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clipstream.mediaproxy.main"), stderr=PIPE, env=environment(tmp_path, **change)
    )
    _, said = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert words in said.decode()
    assert "Traceback" not in said.decode()
    assert "short" not in said.decode()
