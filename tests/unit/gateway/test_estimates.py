"""How long a clip will still take."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from clipstream.gateway.clip import STAGES
from clipstream.gateway.estimates import clip_left_s, in_words, stage_left_s
from clipstream.gateway.repository.stages import Pace


@dataclass
class Row:
    state: str
    progress: float = 0.0


PACES = {stage: Pace(seconds=4.0, per_second=0.5) for stage in STAGES}


def test_a_stage_takes_its_share_of_the_clips_length() -> None:
    assert stage_left_s(Row("queued"), PACES["stt"], 60) == 30
    assert stage_left_s(Row("running", 0.75), PACES["stt"], 60) == 7.5
    assert stage_left_s(Row("queued"), PACES["stt"], None) == 4.0
    assert stage_left_s(Row("done"), PACES["stt"], 60) == 0


def test_parallel_chains_count_once() -> None:
    rows = {stage: Row("queued") for stage in STAGES}
    assert clip_left_s(rows, PACES, 20) == 10 + 10 + 20  # ingest, dedupe, then stt and its index


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 second"),
        (42, "42 seconds"),
        (60, "1 minute"),
        (300, "5 minutes"),
        (7200, "2 hours"),
        (432_000, "5 days"),
    ],
)
def test_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
