"""The captions stage over a real store: whoever ends last, words or pictures, the clip has its captions."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import m3u8
import pytest

from clipstream.common.contracts import keys
from clipstream.common.contracts.documents import Segment, SpeechEngine, Transcript
from clipstream.common.contracts.events import ClipCaptioned, ClipTranscribed
from clipstream.common.contracts.ids import StreamId, VideoId
from clipstream.common.errors import NotFound, Outage
from clipstream.common.store.disk.store import DiskStore
from clipstream.common.store.objects import ObjectStore
from clipstream.transcode.captioning import build, find_captions
from clipstream.transcode.captions import Captions
from clipstream.transcode.manifests import entrances
from clipstream.transcode.placed import Placed
from fixtures.context import CagedAttempt
from fixtures.tracks import LADDER, sound

Attempts = Callable[[], CagedAttempt]
Tracks = tuple[list[Placed], list[Placed]]

TRACKS: Tracks = ([Placed(track, "segments/p/") for track in LADDER], [Placed(sound(), "segments/p/")])


class Finished:
    """Clips whose parts are all made, for as long as `video_ids` has them."""

    def __init__(self, *video_ids: VideoId) -> None:
        self.video_ids = set(video_ids)

    async def find(self, store: ObjectStore, video_id: VideoId) -> Tracks | None:
        return TRACKS if video_id in self.video_ids else None

    async def publish(
        self, store: ObjectStore, video_id: VideoId, assembled: Tracks, captions: Captions | None
    ) -> None:
        for name, text in entrances(*assembled, captions).items():
            await store.put(keys.processed(video_id, name), text.encode(), content_type="text/plain")


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


async def answer(assembly: Finished, event: ClipTranscribed, attempt: CagedAttempt) -> bool:
    [told] = await build(assembly).handler(event, attempt)
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
    assert await answer(Finished(video_id), transcribed(video_id, language="deu"), attempts())
    assert await subtitles(disk_store, video_id) == [("captions.m3u8", "de")]
    captions = m3u8.loads((await disk_store.get(keys.processed(video_id, "captions.m3u8"))).decode())
    assert keys.processed(video_id, captions.segments[0].uri) == keys.captions(video_id)
    assert captions.segments[0].duration == 9.5


async def test_it_answers_where_the_pictures_are_not_there_yet(
    disk_store: DiskStore, attempts: Attempts, video_id: VideoId
) -> None:
    assert not await answer(Finished(), transcribed(video_id), attempts())
    assert [info.key async for info in disk_store.list("")] == []


async def test_it_answers_for_a_clip_without_words(
    disk_store: DiskStore, attempts: Attempts, video_id: VideoId
) -> None:
    assert not await answer(Finished(video_id), transcribed(video_id, segments=0), attempts())
    assert await subtitles(disk_store, video_id) == []


async def test_twice_is_as_once(disk_store: DiskStore, attempts: Attempts, video_id: VideoId) -> None:
    event, assembly = transcribed(video_id), Finished(video_id)
    before = [await answer(assembly, event, attempts()), await subtitles(disk_store, video_id)]
    assert [await answer(assembly, event, attempts()), await subtitles(disk_store, video_id)] == before


async def test_words_that_a_second_hearing_did_not_find_go(
    disk_store: DiskStore, attempts: Attempts, video_id: VideoId
) -> None:
    assembly = Finished(video_id)
    await answer(assembly, transcribed(video_id), attempts())
    assert not await answer(assembly, transcribed(video_id, segments=0), attempts())
    assert await subtitles(disk_store, video_id) == []


async def test_a_store_that_is_away_while_it_writes_leaves_the_old_entrance(
    disk_store: DiskStore, attempts: Attempts, video_id: VideoId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next attempt mends it."""
    assembly = Finished(video_id)
    await assembly.publish(disk_store, video_id, TRACKS, None)
    with monkeypatch.context() as away:
        put = disk_store.put

        async def fail(key: str, *arguments: object, **how: object) -> object:
            if key.endswith("master.m3u8"):
                raise Outage("The store is away.")
            return await put(key, *arguments, **how)  # type: ignore[arg-type]

        away.setattr(disk_store, "put", fail)
        with pytest.raises(Outage):
            await answer(assembly, transcribed(video_id), attempts())
    assert b"SUBTITLES" not in await disk_store.get(keys.processed(video_id, "master.m3u8"))
    assert await answer(assembly, transcribed(video_id), attempts())
    assert await subtitles(disk_store, video_id) == [("captions.m3u8", "en")]


@pytest.mark.parametrize(("words", "expected"), [(("push left",), Captions("en")), ((), None)], ids=["said", "silent"])
async def test_an_assembler_finds_what_was_heard_before(
    disk_store: DiskStore, video_id: VideoId, words: tuple[str, ...], expected: Captions | None
) -> None:
    heard = tuple(Segment(id=n, track=1, start_s=n, end_s=n + 1, text=text) for n, text in enumerate(words))
    transcript = Transcript(
        video_id=video_id,
        engine=SpeechEngine(name="e", version="1", model="m"),
        language="en",
        duration_s=9.5,
        segments=heard,
    )
    await disk_store.put(keys.transcript(video_id), transcript.model_dump_json().encode(), content_type="text/plain")
    assert await find_captions(disk_store, video_id) == expected


async def test_an_assembler_that_is_first_finds_none(disk_store: DiskStore, video_id: VideoId) -> None:
    with pytest.raises(NotFound):
        await disk_store.head(keys.transcript(video_id))
    assert await find_captions(disk_store, video_id) is None
