"""What operators say about a clip, folded in among late, repeated and unordered events of its stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import Stage
from clipstream.common.contracts.ids import StreamId, VideoId
from clipstream.gateway import amendments
from clipstream.gateway.clip import Clip
from clipstream.gateway.projection import fold
from corpus.stories import BEGIN, Story

VIDEO = VideoId(UUID(int=1))
ORIGINAL = VideoId(UUID(int=2))
STREAM = StreamId(UUID(int=3))
LATER = BEGIN + timedelta(hours=1)

Amendment: TypeAlias = Callable[[Clip], object]


@dataclass
class Script:
    """A story with an operator in it: what can only come after what, and nothing more than that."""

    story: Story = field(default_factory=lambda: Story(VIDEO, STREAM))
    steps: list[Envelope | Amendment] = field(default_factory=list)
    after: list[set[int]] = field(default_factory=list)

    def told(self) -> None:
        """Take in what the story has told since. Any of it may come whenever its operator's cause was there."""
        known = [step for step in self.steps if isinstance(step, Envelope)]
        said = self._said()
        for envelope in self.story.told:
            if envelope not in known:
                self.steps.append(envelope)
                self.after.append(said)

    def amended(self, amendment: Amendment, *needs: Envelope) -> None:
        """The operator speaks, after all that was said before, knowing `needs`."""
        self.after.append(self._said() | {self.steps.index(envelope) for envelope in needs})
        self.steps.append(amendment)

    def _said(self) -> set[int]:
        return {i for i, step in enumerate(self.steps) if not isinstance(step, Envelope)}

    def again(self, stage: Stage, *needs: Envelope, held: bool = False) -> Envelope:
        """The operator has a stage tried again; what it works on then."""
        clip = play(self.steps)
        made = amendments.retry(clip, stage, LATER, held=held)
        assert made is not None
        self.amended(lambda clip: amendments.retry(clip, stage, LATER, held=held), *needs)
        return made


def play(steps: Sequence[Envelope | Amendment]) -> Clip:
    clip = Clip(id=VIDEO, stream_id=STREAM)
    for step in steps:
        if isinstance(step, Envelope):
            fold(clip, step)
        else:
            step(clip)
    return clip


def _retried(stage: Stage, *, failing_again: bool = False) -> Script:
    script = Script()
    story = script.story
    admitted = story.admit()
    story.finish(without=[stage])
    story.fail(stage, admitted, by="sweeper", error="nothing was heard")
    script.told()
    again = story.admitted = script.again(stage, admitted)
    if failing_again:
        story.fail(stage, again, error="broke again")
    elif stage == "transcode":
        story.transcode()
    elif stage == "stt":
        story.index("text", story.transcribe())
    else:
        story.index("vectors", story.embed())
    script.told()
    return script


def _ingest_retried() -> Script:
    script = Script()
    story = script.story
    story.fail("ingest", story.upload)
    script.told()
    story.upload = script.again("ingest", story.upload)
    story.finish()
    script.told()
    return script


def _index_retried() -> Script:
    script = Script()
    story = script.story
    story.dedupe()
    story.transcode()
    spoken = story.transcribe()
    story.fail("search_text", spoken)
    story.index("vectors", story.embed())
    script.told()
    story.index("text", script.again("search_text", spoken))
    script.told()
    return script


def _skipped(*, late: bool = False, taken_back: bool = False) -> Script:
    script = Script()
    story = script.story
    admitted = story.admit()
    story.transcode()
    story.index("vectors", story.embed())
    script.told()
    script.amended(lambda clip: amendments.skip(clip, "stt", LATER))
    if taken_back:
        story.admitted = script.again("stt", admitted)
    if late or taken_back:
        story.index("text", story.transcribe())
    script.told()
    return script


def _cancelled(*, without: Sequence[Stage] = (), resumed: bool = False) -> Script:
    script = Script()
    story = script.story
    admitted = story.admit()
    script.told()
    script.amended(amendments.cancel)
    story.finish(without=without)
    script.told()
    if resumed:
        script.amended(amendments.resume)
        for stage in without:
            story.admitted = script.again(stage, admitted)
            story.transcode()
        script.told()
    return script


def _held(*, let_in: bool) -> Script:
    script = Script()
    story = script.story
    admitted = story.admit()
    story.finish(without=["transcode"])
    script.told()
    story.admitted = script.again("transcode", admitted, held=True)
    if let_in:
        script.amended(amendments.admit)
        story.transcode()
    script.told()
    return script


def _dismissed() -> Script:
    script = Script()
    story = script.story
    ingested = story.ingest()
    copy = story.copy_of(ORIGINAL)
    script.told()
    said = amendments.dismiss(play(script.steps), LATER)
    assert said is not None
    script.amended(lambda clip: amendments.dismiss(clip, LATER), ingested, copy)
    story.unique = said
    story.told.append(said)
    story.finish()
    script.told()
    return script


SCRIPTS: dict[str, Callable[[], Script]] = {
    "stt retried": lambda: _retried("stt"),
    "stt retried in vain": lambda: _retried("stt", failing_again=True),
    "embed retried": lambda: _retried("embed"),
    "transcode retried": lambda: _retried("transcode"),
    "transcode retried in vain": lambda: _retried("transcode", failing_again=True),
    "ingest retried": _ingest_retried,
    "index retried": _index_retried,
    "stt skipped": _skipped,
    "stt skipped, then made": lambda: _skipped(late=True),
    "stt skipped, then wanted": lambda: _skipped(taken_back=True),
    "cancelled": _cancelled,
    "cancelled while it failed": lambda: _cancelled(without=["transcode"]),
    "cancelled and resumed": lambda: _cancelled(resumed=True),
    "cancelled, resumed and retried": lambda: _cancelled(without=["transcode"], resumed=True),
    "retried, but it waits": lambda: _held(let_in=False),
    "retried, and let in": lambda: _held(let_in=True),
    "dismissed": _dismissed,
}
OUTCOMES = dict.fromkeys(SCRIPTS, "ready") | {
    "transcode retried in vain": "failed",
    "cancelled": "failed",
    "cancelled while it failed": "failed",
    "retried, but it waits": "processing",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_script_ends_as_it_must(name: str) -> None:
    assert play(SCRIPTS[name]().steps).status == OUTCOMES[name]


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_any_order_that_can_happen_gives_the_same_clip(data: st.DataObject) -> None:
    script = SCRIPTS[data.draw(st.sampled_from(sorted(SCRIPTS)))]()
    rank = data.draw(st.permutations(range(len(script.steps))))
    order: list[int] = []
    while len(order) < len(script.steps):
        possible = [i for i in range(len(script.steps)) if i not in order and script.after[i] <= set(order)]
        order.append(min(possible, key=rank.__getitem__))
    assert play([script.steps[i] for i in order]) == play(script.steps)
