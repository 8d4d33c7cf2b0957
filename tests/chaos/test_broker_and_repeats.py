"""The broker dies in the middle of a job; an event comes eight times. Each effect is there once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import AmqpDsn

from clipstream.common.bus.rabbit import connect
from clipstream.common.contracts import keys
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import UploadCompleted
from clipstream.common.contracts.ids import StreamId, VideoId, upload_event_id
from clipstream.common.settings import BusSettings, StoreSettings
from clipstream.standalone.rabbitmq import RabbitMQ
from corpus import gameplay
from fixtures.cluster import ROOT, Cluster, Player, player_in, running
from fixtures.postgres import Databases


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[RabbitMQ]:
    """A broker that this test may kill."""
    with RabbitMQ(tmp_path / "rabbitmq", ROOT / ".tools") as server:
        yield server


async def test_the_broker_dies_during_a_job(own_broker: RabbitMQ, tmp_path: Path, databases: Databases) -> None:
    clip = gameplay.render_clip(tmp_path / "clip.mp4", seed=62, duration_s=10, width=1280, height=720)
    storage = StoreSettings(storage_root=tmp_path / "media")
    with running(tmp_path, own_broker.url, databases.create(), {"STORAGE_ROOT": str(tmp_path / "media")}) as run:
        cluster = Cluster(run, storage, own_broker.url)
        async with player_in(cluster) as player:
            video_id = await player.upload(clip)
            await _begun(player, video_id, "transcode")
            await asyncio.to_thread(own_broker.kill)
            await asyncio.to_thread(own_broker.start)
            video = await player.ended(video_id)
            assert (video["status"], video["error"]) == ("ready", None)
            assert (await player.stages(video_id))["transcode"]["attempts"] == 1
            second_id = await player.upload(clip)
            assert (await player.ended(second_id))["status"] == "duplicate"


async def _begun(player: Player, video_id: str, stage: str) -> None:
    async with asyncio.timeout(60):
        while (await player.stages(video_id)).get(stage, {}).get("state") != "running":
            await asyncio.sleep(0.05)


async def test_one_upload_announced_eight_times(cluster: Cluster, player: Player, tmp_path: Path) -> None:
    clip = gameplay.render_clip(tmp_path / "clip.mp4", seed=63, duration_s=4, width=640, height=360)
    video_id = await player.upload(clip, announce=False)
    key = keys.original(VideoId(UUID(video_id)), ".mp4")
    stored = await player.store.head(key)
    event = UploadCompleted(
        video_id=VideoId(UUID(video_id)),
        stream_id=StreamId(UUID(player.stream_id)),
        key=key,
        size_bytes=stored.size_bytes,
        etag=stored.etag,
    )
    event_id = upload_event_id(player.store.bucket, key, stored.etag, stored.size_bytes)
    bus = await connect(BusSettings(amqp_url=AmqpDsn(cluster.amqp_url)), "test")
    announcement = Envelope.first(event, event_id=event_id, source="test")
    await asyncio.gather(*(bus.publish(announcement) for _ in range(8)))
    await player.client.call("POST", f"/videos/{video_id}/complete")
    assert (await player.ended(video_id))["status"] == "ready"
    before = await player.objects(video_id)
    await asyncio.gather(*(bus.publish(announcement) for _ in range(8)))
    again = await player.upload(clip)  # behind the eight in the queue
    assert (await player.ended(again))["status"] == "duplicate"
    assert await player.objects(video_id) == before
    assert {stage["attempts"] for stage in (await player.stages(video_id)).values()} == {1}
    await bus.close()
