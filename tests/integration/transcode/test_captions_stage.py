"""The captions stage over a real store: whoever ends last, words or pictures, the clip has its captions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import uuid4

import m3u8
import pytest

from clipstream.common.contracts import keys
from clipstream.common.contracts.documents import Segment, SpeechEngine, Transcript
from clipstream.common.contracts.events import ClipCaptioned, ClipTranscribed
from clipstream.common.contracts.ids import RunId, StreamId, VideoId
from clipstream.common.errors import Outage
from clipstream.common.store.disk.store import DiskStore
from clipstream.transcode.captioning import build
from clipstream.transcode.manifests.placed import Placed
from clipstream.transcode.publishing.assembled import Assembled
from clipstream.transcode.publishing.publish import publish
from fixtures.context import CagedAttempt
from fixtures.tracks import LADDER, sound

Attempts = Callable[[], CagedAttempt]

OUTPUT = Assembled(
    plan_id="p",
    run_id=RunId("run-1"),
    finisher=0,
    duration_s=9.5,
    videos=tuple(Placed(track, "segments/p/") for track in LADDER),
    audios=(Placed(sound(), "segments/p/"),),
    renditions=(),
    stored_bytes=0,
)


def transcribed(video_id: VideoId, *, segments: int = 2, language: str | None = "en") -> ClipTranscribed:
    return ClipTranscribed(
        video_id=video_id,
        stream_id=StreamId(uuid4()),
        key=keys.transcript(video_id),
        captions_key=keys.captions(video_id),
        segments=segments,
        language=language,
        model="m",
    )


@pytest.fixture
def video_id() -> VideoId:
    return VideoId(uuid4())


async def answer(event: ClipTranscribed, attempt: CagedAttempt) -> bool:
    [told] = await build().handler(event, attempt)
    assert isinstance(told, ClipCaptioned)
    assert (told.video_id, told.stream_id) == (event.video_id, event.stream_id)
    return told.joined


async def subtitles(store: DiskStore, video_id: VideoId) -> list[tuple[str, str | None]]:
    """(URI, language) of what the multivariant playlist offers to read, after a look at whether it is there."""
    parsed = m3u8.loads((await store.get(keys.processed(video_id, "master.m3u8"))).decode())
    found = [(each.uri, each.language) for each in parsed.media if each.type == "SUBTITLES"]
    for uri, _ in found:
        await store.head(keys.processed(video_id, uri))
    manifest = (await store.get(keys.processed(video_id, "manifest.mpd"))).decode()
    assert ("text/vtt" in manifest) == bool(found)
    return found


async def test_words_join_pictures_that_were_there_first(
    disk_store: DiskStore, attempts: Attempts, video_id: VideoId
) -> None:
    await publish(disk_store, video_id, OUTPUT)
    assert await subtitles(disk_store, video_id) == []
    assert await answer(transcribed(video_id, language="deu"), attempts())
    assert await subtitles(disk_store, video_id) == [("captions.m3u8", "de")]
    captions = m3u8.loads((await disk_store.get(keys.processed(video_id, "captions.m3u8"))).decode())
    assert keys.processed(video_id, captions.segments[0].uri) == keys.captions(video_id)
    assert captions.segments[0].duration == 9.5


async def test_it_answers_where_the_pictures_are_not_there_yet(
    disk_store: DiskStore, attempts: Attempts, video_id: VideoId
) -> None:
    assert not await answer(transcribed(video_id), attempts())
    assert [info.key async for info in disk_store.list("")] == []


async def test_it_answers_for_a_clip_without_words(
    disk_store: DiskStore, attempts: Attempts, video_id: VideoId
) -> None:
    await publish(disk_store, video_id, OUTPUT)
    assert not await answer(transcribed(video_id, segments=0), attempts())
    assert await subtitles(disk_store, video_id) == []


async def test_twice_is_as_once(disk_store: DiskStore, attempts: Attempts, video_id: VideoId) -> None:
    await publish(disk_store, video_id, OUTPUT)
    event = transcribed(video_id)
    before = [await answer(event, attempts()), await subtitles(disk_store, video_id)]
    assert [await answer(event, attempts()), await subtitles(disk_store, video_id)] == before


async def test_words_that_a_second_hearing_did_not_find_go(
    disk_store: DiskStore, attempts: Attempts, video_id: VideoId
) -> None:
    await publish(disk_store, video_id, OUTPUT)
    await answer(transcribed(video_id), attempts())
    assert not await answer(transcribed(video_id, segments=0), attempts())
    assert await subtitles(disk_store, video_id) == []


async def test_a_store_that_is_away_while_it_writes_leaves_the_old_entrance(
    disk_store: DiskStore, attempts: Attempts, video_id: VideoId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next attempt mends it."""
    await publish(disk_store, video_id, OUTPUT)
    with monkeypatch.context() as away:
        put = disk_store.put

        async def fail(key: str, *arguments: object, **how: object) -> object:
            if key.endswith("master.m3u8"):
                raise Outage("The store is away.")
            return await put(key, *arguments, **how)  # type: ignore[arg-type]

        away.setattr(disk_store, "put", fail)
        with pytest.raises(Outage):
            await answer(transcribed(video_id), attempts())
    assert b"SUBTITLES" not in await disk_store.get(keys.processed(video_id, "master.m3u8"))
    assert await answer(transcribed(video_id), attempts())
    assert await subtitles(disk_store, video_id) == [("captions.m3u8", "en")]


async def hear(store: DiskStore, video_id: VideoId, *words: str) -> None:
    """What speech to text leaves behind."""
    heard = tuple(Segment(id=n, track=1, start_s=n, end_s=n + 1, text=text) for n, text in enumerate(words))
    transcript = Transcript(
        video_id=video_id,
        engine=SpeechEngine(name="e", version="1", model="m"),
        language="en",
        duration_s=9.5,
        segments=heard,
    )
    await store.put(keys.transcript(video_id), transcript.model_dump_json().encode(), content_type="application/json")


@pytest.mark.parametrize(
    ("words", "expected"), [(("push left",), [("captions.m3u8", "en")]), ((), [])], ids=["said", "silent"]
)
async def test_pictures_join_words_that_were_there_first(
    disk_store: DiskStore, video_id: VideoId, words: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    await hear(disk_store, video_id, *words)
    await publish(disk_store, video_id, OUTPUT)
    assert await subtitles(disk_store, video_id) == expected


@pytest.mark.parametrize("name", ["720p.m3u8", "manifest.mpd", "master.m3u8"])
async def test_words_that_come_while_pictures_are_published_are_not_lost(
    disk_store: DiskStore,
    attempts: Attempts,
    video_id: VideoId,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """Speech ends, and the captions stage is done with it, just before the assembler writes `name`."""
    put, come = disk_store.put, asyncio.Event()

    async def write(key: str, *arguments: object, **how: object) -> object:
        if key.endswith(name) and not come.is_set():
            come.set()
            await hear(disk_store, video_id, "push left")
            assert await answer(transcribed(video_id), attempts())
        return await put(key, *arguments, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(disk_store, "put", write)
    await publish(disk_store, video_id, OUTPUT)
    assert await subtitles(disk_store, video_id) == [("captions.m3u8", "en")]
