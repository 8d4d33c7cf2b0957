"""The whole service but for its servers: one upload, announced by everybody, often and in any order, is looked at once."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import ByteSize

from clipstream.common.bus.memory import InMemoryBus
from clipstream.common.contracts import keys
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipIngested, UploadCompleted
from clipstream.common.contracts.ids import StreamId, VideoId, upload_event_id
from clipstream.common.stage.process import Spares
from clipstream.common.stage.runner import consume_stages
from clipstream.common.stage.scratch import Scratch
from clipstream.common.store.disk.store import DiskStore
from clipstream.common.store.objects import ObjectInfo
from clipstream.ingest.announcer import listen
from clipstream.ingest.processor import Bounds
from clipstream.ingest.stage import build
from corpus import tiny


class CountingStore(DiskStore):
    """Counts how often a probe was written."""

    probes = 0

    async def put(
        self,
        key: keys.ObjectKey,
        body: bytes,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
    ) -> ObjectInfo:
        self.probes += key.endswith("/probe.json")
        return await super().put(key, body, content_type=content_type, metadata=metadata, if_absent=if_absent)


@pytest.mark.parametrize("seed", range(3))
async def test_sixteen_announcements_have_one_effect(seed: int, tmp_path: Path) -> None:
    bus = InMemoryBus()
    store = CountingStore(tmp_path / "objects", "clips")
    scratch = Scratch.open(tmp_path / "scratch", "ingest")
    heard: list[Envelope] = []

    async def hear(envelope: Envelope) -> None:
        heard.append(envelope)

    await bus.listen([ClipIngested], hear)
    await consume_stages([build(Bounds(), ByteSize(1 << 30))], bus, store, scratch, Spares())
    await listen("clipstream.storage")(bus, store)

    tiny.write(tmp_path / "clip.mp4")
    video_id, stream_id = VideoId(uuid4()), StreamId(uuid4())
    key = keys.original(video_id, ".mp4")
    stored = await store.put_file(
        key, tmp_path / "clip.mp4", content_type="video/mp4", metadata={"stream-id": str(stream_id)}
    )
    completed = UploadCompleted(
        video_id=video_id, stream_id=stream_id, key=key, size_bytes=stored.size_bytes, etag=stored.etag
    )
    event_id = upload_event_id("clips", key, stored.etag, stored.size_bytes)
    record = {
        "eventSource": "minio:s3",
        "eventName": "s3:ObjectCreated:Put",
        "s3": {"bucket": {"name": "clips"}, "object": {"key": key.replace("/", "%2F")}},
    }
    by_client = [bus.publish(Envelope.first(completed, event_id=event_id, source="gateway")) for _ in range(8)]
    by_bucket = [bus.announce(json.dumps({"Records": [record]}).encode()) for _ in range(8)]
    announcements = [*by_client, *by_bucket]
    random.Random(seed).shuffle(announcements)
    for announcement in announcements:
        await announcement
    async with asyncio.timeout(60):
        while not heard or bus.waiting("ingest"):
            await asyncio.sleep(0.05)
    await bus.drain(timedelta(seconds=60))
    await bus.close()
    scratch.close()
    assert store.probes == 1
    assert len({envelope.id for envelope in heard}) == 1
    assert {envelope.causationid for envelope in heard} == {event_id}
    assert {envelope.data for envelope in heard} == {heard[0].data}
