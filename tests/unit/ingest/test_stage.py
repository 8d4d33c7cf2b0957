"""The stage around the probe: what it asks of the store, what it writes, and whose fault a failure is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from pydantic import ByteSize

from clipstream.common.contracts import keys
from clipstream.common.contracts.documents import Probe
from clipstream.common.contracts.events import ClipIngested, UploadCompleted
from clipstream.common.contracts.ids import RunId, StreamId, VideoId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Outage, Rejected, Transient
from clipstream.common.stage.context import Limits
from clipstream.common.store.disk.store import DiskStore
from clipstream.common.store.objects import ObjectStore
from clipstream.ingest.processor import Bounds
from clipstream.ingest.stage import CRASHES, build
from corpus import tiny

T = TypeVar("T")


class Context:
    """A stage context whose child is a plain call, or an error."""

    def __init__(self, store: ObjectStore, file: Path, attempt: int = 1, raising: Exception | None = None) -> None:
        self.store: ObjectStore = store
        self.run_id = RunId("run")
        self.attempt = attempt
        self.scratch = file.parent
        self._file = file
        self._raising = raising

    async def isolate(
        self,
        target: Callable[..., T],
        *,
        source: ObjectKey | None = None,
        limits: Limits | None = None,
        **arguments: object,
    ) -> T:
        if self._raising:
            raise self._raising
        with self._file.open("rb") as file:
            return target(file, **arguments)

    async def thread(self, target: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        return target(*args, **kwargs)

    def progress(self, fraction: float, note: str | None = None) -> None: ...


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    tiny.write(path)
    return path


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path / "objects", "clips")


async def _uploaded(store: DiskStore, clip: Path) -> UploadCompleted:
    video_id = VideoId(uuid4())
    key = keys.original(video_id, ".mp4")
    info = await store.put(key, clip.read_bytes(), content_type="video/mp4")
    return UploadCompleted(
        video_id=video_id, stream_id=StreamId(uuid4()), key=key, size_bytes=info.size_bytes, etag=info.etag
    )


def _stage(max_size: int = 1_000_000) -> Callable[..., Any]:
    return build(Bounds(), ByteSize(max_size)).handler


async def test_a_good_clip_is_ingested_and_its_probe_stored(store: DiskStore, clip: Path) -> None:
    upload = await _uploaded(store, clip)
    [event] = await _stage()(upload, Context(store, clip))
    assert isinstance(event, ClipIngested)
    stored = Probe.model_validate_json(await store.get(event.probe_key))
    assert stored.media == event.media
    assert event.etag == (await store.head(upload.key)).etag
    info = await store.head(upload.key)
    expected = f"sha256:{hashlib.sha256(clip.read_bytes()).hexdigest()}" if info.sha256 else None
    assert event.content_hash == expected


async def test_too_large_a_file_is_not_opened(store: DiskStore, clip: Path) -> None:
    upload = await _uploaded(store, clip)
    with pytest.raises(Rejected, match=r"too large: 0\.\d+ MB\. At most 0\.01 MB are allowed"):
        await _stage(10_000)(upload, Context(store, clip, raising=AssertionError("opened")))


async def test_a_vanished_upload_is_rejected(store: DiskStore, clip: Path) -> None:
    upload = await _uploaded(store, clip)
    await store.delete(upload.key)
    with pytest.raises(Rejected, match="gone"):
        await _stage()(upload, Context(store, clip))


async def test_a_file_that_kills_every_probe_is_at_fault_in_the_end(store: DiskStore, clip: Path) -> None:
    upload = await _uploaded(store, clip)
    crash = Transient("decoder crashed (SIGSEGV)")
    with pytest.raises(Transient, match="SIGSEGV") as first:
        await _stage()(upload, Context(store, clip, attempt=CRASHES - 1, raising=crash))
    assert not isinstance(first.value, Rejected)
    with pytest.raises(Rejected, match="could not be read safely"):
        await _stage()(upload, Context(store, clip, attempt=CRASHES, raising=crash))


async def test_an_outage_is_never_the_files_fault(store: DiskStore, clip: Path) -> None:
    upload = await _uploaded(store, clip)
    with pytest.raises(Outage):
        await _stage()(upload, Context(store, clip, attempt=9, raising=Outage("The store is away.")))
