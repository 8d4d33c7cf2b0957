"""What one word of an operator does to a clip."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipUnique, PartPlanned, Stage
from clipstream.common.contracts.ids import StreamId, VideoId
from clipstream.gateway import amendments
from clipstream.gateway.clip import Clip
from clipstream.gateway.projection import fold
from corpus.stories import BEGIN, Story

VIDEO = VideoId(UUID(int=1))
ORIGINAL = VideoId(UUID(int=2))
STREAM = StreamId(UUID(int=3))
LATER = BEGIN + timedelta(hours=1)


def play(told: Sequence[Envelope]) -> Clip:
    clip = Clip(id=VIDEO, stream_id=STREAM)
    for envelope in told:
        fold(clip, envelope)
    return clip


def test_a_retry_takes_the_failure_back_and_works_under_a_new_id() -> None:
    story = Story(VIDEO, STREAM).finish(without=["transcode"])
    clip = play(story.told)
    assert amendments.retryable(clip) == ("transcode",)
    again = amendments.retry(clip, "transcode", LATER)
    assert again is not None
    assert story.admitted is not None
    assert (again.data, again.attempt, again.causationid) == (story.admitted.data, 1, story.admitted.id)
    assert again.id != story.admitted.id
    row = clip.stages["transcode"]
    assert (clip.status, clip.error, row.state, row.attempts, row.retries) == ("processing", None, "queued", 0, 1)
    assert amendments.retryable(clip) == ()


def test_a_failure_of_before_the_retry_that_comes_late_changes_nothing_shown() -> None:
    story = Story(VIDEO, STREAM).finish(without=["transcode"])
    clip = play(story.told)
    again = amendments.retry(clip, "transcode", LATER)
    assert story.admitted is not None
    assert again is not None
    fold(clip, story.fail("transcode", story.admitted, by="sweeper"))
    of_a_part = story.admitted.follow(
        PartPlanned(video_id=VIDEO, stream_id=STREAM, plan="p", part=1, parts=2), stage="transcode"
    )
    fold(clip, story.fail("transcode", of_a_part))
    assert (clip.status, clip.stages["transcode"].state) == ("processing", "queued")
    of_this_one = again.follow(of_a_part.data, stage="transcode")
    fold(clip, story.fail("transcode", of_this_one, error="a part broke"))
    assert (clip.status, clip.error) == ("failed", "a part broke")


def test_what_hangs_on_a_retried_stage_is_no_longer_skipped() -> None:
    clip = play(Story(VIDEO, STREAM).finish(without=["stt"]).told)
    assert clip.stages["search_text"].state == "skipped"
    amendments.retry(clip, "stt", LATER)
    assert (clip.stages["search_text"].state, clip.status) == ("queued", "ready")


def test_a_cancelled_clip_has_nothing_left_to_do_and_all_of_it_comes_back() -> None:
    story = Story(VIDEO, STREAM)
    story.ingest()
    story.preview()
    story.transcode()
    clip = play(story.told)
    amendments.cancel(clip)
    states = {stage: row.state for stage, row in clip.stages.items() if row.state != "skipped"}
    assert states == {"ingest": "done", "preview": "done", "dedupe": "done", "transcode": "done"}
    assert (clip.status, clip.error, clip.failed_stage) == ("failed", "Cancelled by an operator.", None)
    assert amendments.retryable(clip) == ("stt", "embed")
    amendments.resume(clip)
    assert (clip.status, clip.processing_index) == ("processing", 3)


def test_a_rejection_that_comes_after_the_cancellation_is_final() -> None:
    story = Story(VIDEO, STREAM)
    clip = play(story.told)
    amendments.cancel(clip)
    fold(clip, story.reject())
    assert (clip.status, amendments.retryable(clip)) == ("failed", ())
    amendments.resume(clip)
    assert clip.status == "rejected"


def test_a_skipped_part_is_not_waited_for() -> None:
    story = Story(VIDEO, STREAM)
    story.dedupe()
    story.transcode()
    story.index("vectors", story.embed())
    assert play(story.told).status == "processing"
    clip = play(story.told)
    amendments.skip(clip, "stt", LATER)
    assert (clip.status, clip.ready_at) == ("ready", LATER)
    assert [clip.stages[s].state for s in ("stt", "search_text")] == ["skipped", "skipped"]
    fold(clip, story.transcribe())
    assert [clip.stages[s].state for s in ("stt", "search_text")] == ["done", "queued"]
    assert clip.status == "ready"


def test_a_dismissed_duplicate_goes_on_as_if_it_had_been_unique() -> None:
    story = Story(VIDEO, STREAM)
    ingested = story.ingest()
    copy = story.copy_of(ORIGINAL)
    clip = play(story.told)
    said = amendments.dismiss(clip, LATER)
    assert said is not None
    assert isinstance(said.data, ClipUnique)
    assert (said.causationid, said.data.key, said.data.media) == (ingested.id, ingested.data.key, ingested.data.media)  # type: ignore[attr-defined]
    fold(clip, said)
    assert (clip.status, clip.processing_index, clip.turn) == ("processing", 2, "waits")
    fold(clip, copy)
    assert (clip.status, clip.processing_index) == ("processing", 2)
    assert amendments.dismiss(clip, LATER + timedelta(seconds=1)) is not None
    assert clip.dismissed_at == LATER


def test_a_duplicate_whose_beginning_is_not_known_yet_cannot_be_dismissed() -> None:
    assert amendments.dismiss(play([Story(VIDEO, STREAM).copy_of(ORIGINAL)]), LATER) is None


def test_a_new_clip_is_let_in_by_an_event_that_hangs_on_the_one_which_said_that_it_is_unique() -> None:
    story = Story(VIDEO, STREAM)
    unique = story.dedupe()
    clip = play(story.told)
    assert clip.turn == "waits"
    admitted, anew = amendments.admit(clip)
    assert admitted is not None
    assert (admitted.type, admitted.causationid, admitted.correlationid) == (
        "clip.admitted.v1",
        unique.id,
        unique.correlationid,
    )
    assert admitted.data.model_dump() == unique.data.model_dump()
    assert anew == {}
    fold(clip, admitted)
    assert (clip.turn, clip.admitted_at) == ("works", admitted.time)
    assert amendments.admit(clip) == (None, {})
    fold(clip, story.transcode())
    assert clip.turn is None


def test_what_is_begun_anew_waits_for_its_turn_together() -> None:
    story = Story(VIDEO, STREAM).finish(without=["transcode", "stt"])
    clip = play(story.told)
    again = {stage: amendments.retry(clip, stage, LATER, held=True) for stage in amendments.retryable(clip)}
    assert (set(again), clip.turn) == ({"transcode", "stt"}, "waits")
    late = Story(VIDEO, STREAM)  # the first try ends well after all; speech still waits
    late.admitted = story.admitted
    fold(clip, late.transcode())
    assert clip.turn == "waits"
    told, anew = amendments.admit(clip)
    assert (told, anew) == (None, {"stt": again["stt"]})
    assert clip.turn is None


@pytest.mark.parametrize("stage", ["preview", "captions"])
def test_poster_and_captions_can_be_tried_again_or_done_without(stage: Stage) -> None:
    story = Story(VIDEO, STREAM)
    ingested = story.ingest()
    story.finish()
    spoken = next(envelope for envelope in story.told if envelope.type == "clip.transcribed.v1")
    story.fail(stage, ingested if stage == "preview" else spoken)
    clip = play(story.told)
    assert (clip.status, clip.stages[stage].state) == ("ready", "failed")
    assert amendments.retryable(clip) == (stage,)
    assert stage in amendments.OPTIONAL
    assert amendments.retry(clip, stage, LATER) is not None
    assert (clip.status, clip.stages[stage].state) == ("ready", "queued")
    amendments.skip(clip, stage, LATER)
    assert (clip.status, clip.stages[stage].state) == ("ready", "skipped")
