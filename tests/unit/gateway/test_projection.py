"""The fold from events to a clip: the same events give the same clip, in any order, however often each comes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import Stage
from clipstream.common.contracts.ids import EventId, StreamId, VideoId
from clipstream.gateway.clip import STAGES, Clip
from clipstream.gateway.projection import fold
from corpus.stories import BEGIN, Story

VIDEO = VideoId(UUID(int=1))
ORIGINAL = VideoId(UUID(int=2))
STREAM = StreamId(UUID(int=3))


def project(told: Sequence[Envelope]) -> tuple[Clip, int]:
    """The clip after these events, each id once as the inbox lets it, and how often it became ready."""
    clip, seen, ready = Clip(id=VIDEO, stream_id=STREAM), set(), 0
    for envelope in told:
        if envelope.id not in seen:
            seen.add(envelope.id)
            ready += fold(clip, envelope)
    return clip, ready


def story() -> Story:
    return Story(VIDEO, STREAM)


def _duplicate() -> Story:
    told = story()
    told.copy_of(ORIGINAL)
    return told


def _rejected() -> Story:
    told = story()
    told.reject()
    return told


def _ingest_failed() -> Story:
    told = story()
    told.fail("ingest", told.upload)
    return told


def _failed_twice() -> Story:
    """The runner and the sweeper both gave up on the same stage."""
    told = story().finish(without=["stt"])
    assert told.admitted is not None
    told.fail("stt", told.admitted, by="sweeper", error="nothing was heard")
    return told


def _failed_then_done() -> Story:
    """A worker everybody had given up finished after all."""
    told = story().finish(without=["transcode"])
    told.transcode()
    return told


def _stt_back_from_the_dead() -> Story:
    told = story().finish(without=["stt"])
    told.index("text", told.transcribe())
    return told


def _everything(*, kinds: Sequence[Literal["copy", "rendition"]] = ("rendition", "copy")) -> Story:
    """With all that is optional; two plays come before the whole does."""
    told = story()
    told.preview(copied=True)
    for kind in kinds:
        told.playable(kind)
    told.finish()
    told.caption(next(envelope for envelope in told.told if envelope.type == "clip.transcribed.v1"))
    return told


def _optional_failed() -> Story:
    told = story()
    told.fail("preview", told.ingest())
    told.finish()
    told.fail("captions", next(envelope for envelope in told.told if envelope.type == "clip.transcribed.v1"))
    return told


def _playable_duplicate() -> Story:
    told = story()
    told.preview(copied=True)
    told.playable()
    told.copy_of(ORIGINAL)
    return told


def _waiting() -> Story:
    told = story()
    told.preview()
    told.playable()
    told.dedupe()
    return told


def _unique_twice() -> Story:
    """dedupe was tried again, and both tries said so."""
    told = story()
    told.dedupe()
    first = told.told[-1]
    told._tell(first.model_copy(update={"id": EventId(UUID(int=77))}))
    return told


STORIES = {
    "everything": _everything,
    "poster and captions failed": _optional_failed,
    "playable duplicate": _playable_duplicate,
    "waiting": _waiting,
    "unique twice": _unique_twice,
    "ready": lambda: story().finish(),
    "without speech": lambda: story().finish(without=["stt"]),
    "without pictures": lambda: story().finish(without=["embed"]),
    "not indexed": lambda: story().finish(without=["search_text", "search_vectors"]),
    "nothing but video": lambda: story().finish(without=["stt", "embed"]),
    "not playable": lambda: story().finish(without=["transcode"]),
    "duplicate": _duplicate,
    "rejected": _rejected,
    "ingest failed": _ingest_failed,
    "failed twice": _failed_twice,
    "failed, then done": _failed_then_done,
    "stt failed, then done": _stt_back_from_the_dead,
}
OUTCOMES = {
    "everything": ("ready", 0),
    "poster and captions failed": ("ready", 0),
    "playable duplicate": ("duplicate", -1),
    "waiting": ("processing", 2),
    "unique twice": ("processing", 2),
    "ready": ("ready", 0),
    "without speech": ("ready", 0),
    "without pictures": ("ready", 0),
    "not indexed": ("ready", 0),
    "nothing but video": ("ready", 0),
    "not playable": ("failed", 2),
    "duplicate": ("duplicate", -1),
    "rejected": ("rejected", 1),
    "ingest failed": ("failed", 1),
    "failed twice": ("ready", 0),
    "failed, then done": ("ready", 0),
    "stt failed, then done": ("ready", 0),
}


@pytest.mark.parametrize("name", STORIES)
def test_each_story_ends_as_it_must(name: str) -> None:
    clip, ready = project(STORIES[name]().told)
    assert (clip.status, clip.processing_index) == OUTCOMES[name]
    assert ready == (1 if clip.status == "ready" else 0)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_order_and_any_repetition_gives_the_same_clip(data: st.DataObject) -> None:
    told = STORIES[data.draw(st.sampled_from(sorted(STORIES)))]().told
    shuffled = data.draw(st.permutations(told + data.draw(st.lists(st.sampled_from(told), max_size=6))))
    expected, made_ready = project(told)
    clip, ready = project(shuffled)
    assert clip == expected
    assert ready == made_ready


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_clip_that_was_ready_stays_ready(data: st.DataObject) -> None:
    told = STORIES[data.draw(st.sampled_from([n for n, o in OUTCOMES.items() if o[0] == "ready"]))]().told
    clip, was_ready = Clip(id=VIDEO, stream_id=STREAM), False
    for envelope in data.draw(st.permutations(told)):
        fold(clip, envelope)
        assert not was_ready or clip.status == "ready"
        was_ready = clip.status == "ready"


def test_the_processing_index_is_the_lowest_unfinished_stage() -> None:
    told = story()
    clip = Clip(id=VIDEO, stream_id=STREAM)
    shown = []

    def tell(envelope: Envelope) -> None:
        fold(clip, envelope)
        shown.append(clip.processing_index)

    tell(told.upload)
    tell(told.ingest())
    tell(told.dedupe())
    tell(told.admit())
    embedded = told.embed()
    tell(embedded)
    tell(told.transcode())
    spoken = told.transcribe()
    tell(spoken)
    tell(told.index("text", spoken))
    tell(told.index("vectors", embedded))
    assert shown == [1, 1, 2, 2, 2, 3, 4, 4, 0]


def test_a_failed_optional_part_is_named_and_does_not_hold_the_clip() -> None:
    clip, _ = project(story().finish(without=["stt"]).told)
    states = {stage: row.state for stage, row in clip.stages.items()}
    assert states["stt"] == "failed"
    assert clip.stages["stt"].error == "stt broke"
    assert states["search_text"] == "skipped"
    assert (clip.status, clip.error, clip.failed_stage) == ("ready", None, None)


def test_a_failed_video_says_which_stage_and_why() -> None:
    clip, _ = project(story().finish(without=["transcode"]).told)
    assert (clip.failed_stage, clip.error) == ("transcode", "transcode broke")


@pytest.mark.parametrize("name", ["duplicate", "rejected", "ingest failed"])
def test_what_will_never_run_is_skipped(name: str) -> None:
    clip, _ = project(STORIES[name]().told)
    assert {clip.stages[stage].state for stage in STAGES[3:]} == {"skipped"}
    assert clip.stages["preview"].state == ("queued" if name == "duplicate" else "skipped")


def test_times_are_those_of_the_events() -> None:
    told = story().finish()
    clip, _ = project(told.told)
    assert clip.uploaded_at == BEGIN
    assert clip.playable_at == BEGIN + timedelta(seconds=4)
    assert clip.ready_at == told.told[-1].time
    assert clip.duration_s == 29.5


def test_each_stage_knows_the_event_it_works_on() -> None:
    told = story().finish()
    clip, _ = project(told.told)
    causes: dict[Stage, str] = {stage: row.trigger["type"] for stage, row in clip.stages.items() if row.trigger}
    assert causes == {
        "ingest": "upload.completed.v1",
        "preview": "clip.ingested.v1",
        "dedupe": "clip.ingested.v1",
        "transcode": "clip.admitted.v1",
        "stt": "clip.admitted.v1",
        "embed": "clip.admitted.v1",
        "captions": "clip.transcribed.v1",
        "search_text": "clip.transcribed.v1",
        "search_vectors": "clip.embedded.v1",
    }


def test_ready_waits_neither_for_the_poster_nor_for_captions_in_the_playlists() -> None:
    clip, _ = project(story().finish().told)
    assert clip.status == "ready"
    assert {clip.stages[stage].state for stage in ("preview", "captions")} == {"queued"}


def test_costly_stages_wait_for_the_clips_turn() -> None:
    clip, _ = project(_waiting().told)
    assert (clip.turn, clip.admitted_at) == ("waits", None)
    assert {stage: clip.stages[stage].trigger for stage in ("transcode", "stt", "embed")} == dict.fromkeys(
        ("transcode", "stt", "embed")
    )


@pytest.mark.parametrize(
    ("name", "leftover"),
    [
        ("waiting", None),
        ("everything", "replaced"),
        ("playable duplicate", "unwanted"),
        ("rejected", "unwanted"),
        ("not playable", "ended"),
        ("failed, then done", "replaced"),
    ],
)
def test_what_was_made_to_play_early_goes_when_nobody_needs_it(name: str, leftover: str | None) -> None:
    assert project(STORIES[name]().told)[0].leftover == leftover


def test_a_clip_is_playable_once_it_plays_and_is_known_to_be_new() -> None:
    clip, told = Story(VIDEO, STREAM), []
    told += [clip.ingest(), early := clip.playable()]
    assert project(told)[0].playable_at is None
    told.append(unique := clip.dedupe())
    assert project(told)[0].playable_at == max(early.time, unique.time)
