"""A notification is a hint: what the store holds decides, and saying it often changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest

from clipstream.common.bus.memory import InMemoryBus
from clipstream.common.contracts import keys
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import UploadCompleted
from clipstream.common.contracts.ids import StreamId, VideoId, upload_event_id
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Outage
from clipstream.common.store.disk.store import DiskStore
from clipstream.ingest.announcer import announce


class Published(InMemoryBus):
    """The bus in memory, and what went over it."""

    def __init__(self) -> None:
        super().__init__()
        self.envelopes: list[Envelope] = []

    async def publish(self, envelope: Envelope, **how: object) -> None:
        self.envelopes.append(envelope)


def _notification(key: str, *, bucket: str = "clips", etag: str = "made-up", size: int = 7) -> bytes:
    record = {
        "eventSource": "minio:s3",
        "eventName": "s3:ObjectCreated:Put",
        "s3": {"bucket": {"name": bucket}, "object": {"key": quote(key, safe=""), "eTag": etag, "size": size}},
    }
    return json.dumps({"EventName": "s3:ObjectCreated:Put", "Key": f"{bucket}/{key}", "Records": [record]}).encode()


@pytest.fixture
def bus() -> Published:
    return Published()


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path, "clips")


async def _upload(store: DiskStore, metadata: Mapping[str, str], body: bytes = b"a clip") -> tuple[VideoId, ObjectKey]:
    video_id = VideoId(uuid4())
    key = keys.original(video_id, ".mp4")
    await store.put(key, body, content_type="video/mp4", metadata=metadata)
    return video_id, key


async def test_head_decides_and_not_the_notification(bus: Published, store: DiskStore) -> None:
    stream_id = StreamId(uuid4())
    video_id, key = await _upload(store, {"stream-id": str(stream_id)})
    assert await announce(_notification(key), bus, store) == 1
    stored = await store.head(key)
    [envelope] = bus.envelopes
    assert envelope.id == upload_event_id("clips", key, stored.etag, stored.size_bytes)
    assert envelope.data == UploadCompleted(
        video_id=video_id, stream_id=stream_id, key=key, size_bytes=6, etag=stored.etag, announced_by="bucket"
    )


async def test_eight_announcements_are_one_event(bus: Published, store: DiskStore) -> None:
    _, key = await _upload(store, {"stream-id": str(uuid4())})
    for _ in range(8):
        await announce(_notification(key), bus, store)
    assert len({envelope.id for envelope in bus.envelopes}) == 1


@pytest.mark.parametrize("metadata", [{}, {"stream-id": ""}, {"stream-id": "x"}, {"user-id": str(uuid4())}])
async def test_an_upload_without_a_stream_is_passed_over(
    metadata: dict[str, str], bus: Published, store: DiskStore
) -> None:
    _, key = await _upload(store, metadata)
    assert await announce(_notification(key), bus, store) == 0


async def test_what_is_not_ours_is_passed_over_without_a_look(bus: Published, store: DiskStore) -> None:
    video_id = uuid4()
    foreign = ["raw-uploads/x.mp4", f"thumbnails/{video_id}.jpg", f"raw-uploads/{video_id}/../x", "raw-uploads/", "🎮"]
    for key in foreign:
        assert await announce(_notification(key), bus, store) == 0
    assert await announce(_notification(f"raw-uploads/{video_id}.mp4", bucket="other"), bus, store) == 0
    assert bus.envelopes == []


async def test_an_object_that_is_gone_is_passed_over(bus: Published, store: DiskStore) -> None:
    assert await announce(_notification(keys.original(VideoId(uuid4()))), bus, store) == 0


@pytest.mark.parametrize("body", [b"", b"{}", b"\x00\x01", b'{"Records": [{"eventName": "s3:ObjectCreated:Put"}]}'])
async def test_a_message_that_is_no_notification_is_done_with(body: bytes, bus: Published, store: DiskStore) -> None:
    assert await announce(body, bus, store) == 0


async def test_an_outage_is_raised_to_be_retried(
    bus: Published, store: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(key: ObjectKey) -> None:
        raise Outage("The store does not answer.")

    monkeypatch.setattr(store, "head", away)
    with pytest.raises(Outage):
        await announce(_notification(keys.original(VideoId(uuid4()))), bus, store)
