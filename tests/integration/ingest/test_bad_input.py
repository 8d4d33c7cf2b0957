"""Every bad and odd upload through the stage, its probe in the real cage, from a real store. A file next door and an
address that listens must stay untouched."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from pydantic import ByteSize

from clipstream.common.contracts import keys
from clipstream.common.contracts.events import ClipIngested, UploadCompleted
from clipstream.common.contracts.ids import RunId, StreamId, VideoId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Rejected
from clipstream.common.stage.context import Limits
from clipstream.common.stage.isolate import isolate
from clipstream.common.stage.outputs import Take
from clipstream.common.store.disk.store import DiskStore
from clipstream.common.store.objects import ObjectStore
from clipstream.ingest.processor import Bounds
from clipstream.ingest.stage import build
from corpus import broken

T = TypeVar("T")


class Context:
    """What the runner gives a handler, with the real cage."""

    def __init__(self, store: ObjectStore, scratch: Path) -> None:
        self.store: ObjectStore = store
        self.run_id = RunId("run")
        self.attempt = 1
        self.scratch = scratch

    async def isolate(
        self,
        target: Callable[..., T],
        *,
        source: ObjectKey | None = None,
        limits: Limits | None = None,
        take: Take | None = None,
        **arguments: object,
    ) -> T:
        return await isolate(
            target,
            store=self.store,
            source=source,
            scratch=self.scratch,
            limits=limits,
            progress=None,
            take=take,
            spares=None,
            **arguments,
        )

    async def thread(self, target: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        return await asyncio.to_thread(target, *args, **kwargs)

    def progress(self, fraction: float, note: str | None = None) -> None: ...


class Listener:
    """An HTTP address that counts who knocks."""

    def __init__(self) -> None:
        self.knocks = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.knocks += 1
        writer.close()


@pytest.fixture
async def listener() -> AsyncIterator[tuple[Listener, str]]:
    listening = Listener()
    server = await asyncio.start_server(listening.answer, "127.0.0.1", 0)
    async with server:
        yield listening, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/victim.ts"


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("victim") / "victim.ts"
    broken.victim(path)
    return path.read_bytes()


@pytest.mark.parametrize("name", broken.CASES)
async def test_bad_input_ends_as_it_should(
    name: str, listener: tuple[Listener, str], victim: bytes, tmp_path: Path
) -> None:
    case = broken.CASES[name]
    scratch, made = tmp_path / "scratch", tmp_path / "made"
    scratch.mkdir()
    made.mkdir()
    lure = broken.Lure(file=scratch / "victim.ts", url=listener[1])  # where a relative reference would find it
    lure.file.write_bytes(victim)
    os.utime(lure.file, (1_000_000, 2_000_000))  # older than its last change: the next read would show
    case.build(made / case.filename, lure)
    store = DiskStore(tmp_path / "objects", "clips")
    video_id = VideoId(uuid4())
    key = keys.original(video_id)
    info = await store.put_file(key, made / case.filename, content_type="video/mp4")
    upload = UploadCompleted(
        video_id=video_id, stream_id=StreamId(uuid4()), key=key, size_bytes=info.size_bytes, etag=info.etag
    )
    handler = build(Bounds(), ByteSize(1 << 30)).handler
    if case.outcome == "ready":
        [event] = await handler(upload, Context(store, scratch))
        assert isinstance(event, ClipIngested)
        assert event.media.video or event.media.audio
    else:
        with pytest.raises(Rejected) as refused:
            await handler(upload, Context(store, scratch))
        sentence = str(refused.value)
        assert case.reason in sentence
        assert sentence.endswith(".")
        assert sentence[0].isupper()
        assert str(tmp_path) not in sentence
    assert lure.file.stat().st_atime == 1_000_000
    assert listener[0].knocks == 0
