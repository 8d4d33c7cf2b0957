"""A clip through the containers: announced by the object store alone, finished although a worker is killed under it."""

from __future__ import annotations

import asyncio
import io
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
import av
import pytest
from yarl import URL

from compose.stack import Container, Stack
from corpus.gameplay import render_clip
from fixtures.api import Api

FINAL = {"ready", "duplicate", "failed", "rejected"}


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[Api]:
    async with Api.signed_in(stack.url, "Ada") as client:
        yield client


@pytest.fixture
async def stream_id(client: Api) -> str:
    return str((await client.call("POST", "/streams", {"name": "Friday night"}))["id"])


async def upload(client: Api, stream_id: str, path: Path) -> str:
    """Create a video and send its file by the presigned address. Nobody calls `complete`, and the sender tries to keep
    the object store from announcing it."""
    facts = {"filename": path.name, "size": path.stat().st_size, "content_type": "video/mp4"}
    made = await client.call("POST", f"/streams/{stream_id}/videos", facts)
    request = made["upload"]
    headers = request["headers"] | {"X-Minio-Source-Replication-Request": "true"}
    async with aiohttp.ClientSession() as bare:
        url = URL(request["url"], encoded=True)
        async with bare.request(request["method"], url, headers=headers, data=path.read_bytes()) as response:
            assert response.status == 200, await response.text()
    return str(made["id"])


async def until(check: Callable[[], Awaitable[bool]], what: str, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not await check():
        assert time.monotonic() < deadline, f"waited {within_s:.0f} s for {what}"
        await asyncio.sleep(0.5)


async def finished(client: Api, video_id: str, within_s: float) -> dict[str, object]:
    async def ended() -> bool:
        return (await client.call("GET", f"/videos/{video_id}"))["status"] in FINAL

    await until(ended, "the clip to reach its end", within_s)
    return await client.call("GET", f"/videos/{video_id}/processing")


def busy(stack: Stack) -> Container:
    """The transcode container that is at work, by its own count."""
    at_work = [container for container in stack.containers("transcode") if in_flight(container)]
    assert at_work, "no transcode container is at work"
    return at_work[0]


def in_flight(container: Container) -> float:
    metrics = container.execute(
        "python", "-c", "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9000/metrics').read().decode())"
    )
    counted = re.search(r'^clipstream_jobs_in_flight\{queue="transcode"\} (\S+)$', metrics, re.MULTILINE)
    return float(counted[1]) if counted else 0


async def test_a_killed_worker_costs_nothing(stack: Stack, client: Api, stream_id: str, tmp_path: Path) -> None:
    clip = await asyncio.to_thread(
        render_clip, tmp_path / "match.mp4", seed=7, duration_s=40, speech=[(2.0, "push left")]
    )
    video_id = await upload(client, stream_id, clip)

    async def half_done() -> bool:
        stages = (await client.call("GET", f"/videos/{video_id}/processing"))["stages"]
        return any(stage["stage"] == "transcode" and 0.1 < stage["progress"] < 1 for stage in stages)

    await until(half_done, "the transcode to be on its way", 300)
    victim = await asyncio.to_thread(busy, stack)
    victim.kill()

    processing = await finished(client, video_id, within_s=600)
    assert processing["status"] == "ready", processing
    assert len(stack.containers("transcode")) == 1

    keys = stack.objects(f"processed-videos/{video_id}/")
    assert f"processed-videos/{video_id}/manifests/transcode.json" in keys
    outputs = {found.groups() for key in keys if (found := re.search(r"/segments/([^/]+)/([^/]+)/", key))}
    assert len(outputs) == 1, "one run's segments, of one plan"
    playable = await client.call("GET", f"/videos/{video_id}/stream")
    assert playable["bitrates"] == [480, 720]
    assert await decoded_s(client, playable["hls_url"]) == pytest.approx(40, abs=0.5)
    victim.start()


async def decoded_s(client: Api, master_url: str) -> float:
    """Seconds of picture behind a multivariant playlist, all of one run, fetched through the edge and decoded."""
    master = (await client.fetch(master_url)).decode()
    variant_url = urljoin(master_url, next(line for line in master.splitlines() if line.endswith(".m3u8")))
    variant = (await client.fetch(variant_url)).decode()
    parts = re.findall(r'#EXT-X-MAP:URI="([^"]+)"', variant) + [
        line for line in variant.splitlines() if line and not line.startswith("#")
    ]
    media = b"".join([await client.fetch(urljoin(variant_url, part)) for part in dict.fromkeys(parts)])
    with av.open(io.BytesIO(media), "r") as container:
        frames = [frame.time for frame in container.decode(video=0) if frame.time is not None]
    return max(frames) - min(frames)


async def test_announcements_outlive_a_power_cut(stack: Stack, client: Api, stream_id: str, tmp_path: Path) -> None:
    """The broker is gone while a clip arrives; then the object store dies as well, and its event directory holds what a
    power cut leaves behind."""
    (broker,) = stack.containers("rabbitmq")
    (minio,) = stack.containers("minio")
    clip = await asyncio.to_thread(render_clip, tmp_path / "late.mp4", seed=8, duration_s=3)

    broker.kill()
    video_id = await upload(client, stream_id, clip)
    minio.execute("sh", "-c", "head -c 400 /dev/zero >/events/minio-amqp-CLIPSTREAM/damaged.event")
    minio.kill()
    minio.start()
    broker.start()

    processing = await finished(client, video_id, within_s=600)
    assert processing["status"] == "ready", processing
    assert "damaged.event" in minio.execute("ls", "/events/damaged")
