"""Invented text is dropped with its reason; real call-outs stay."""

from __future__ import annotations

import pytest

from clipstream.common.contracts.documents import Segment
from clipstream.stt.filters import reason_to_drop


def said(text: str = "push left", **facts: float) -> Segment:
    return Segment.model_validate({"id": 0, "track": 0, "start_s": 1.0, "end_s": 2.0, "text": text} | facts)


@pytest.mark.parametrize(
    ("segment", "reason"),
    [
        (said(no_speech_probability=0.9, mean_log_probability=-1.4), "probably no speech"),
        (said(compression_ratio=3.0), "repeats itself"),
        (said("thank you " * 6), "repeats itself"),
        (said(start_s=2.0, end_s=2.0), "lies outside the clip"),
        (said(start_s=31.0, end_s=32.0), "lies outside the clip"),
    ],
)
def test_dropped(segment: Segment, reason: str) -> None:
    assert reason_to_drop(segment, duration_s=30.0) == reason


@pytest.mark.parametrize(
    "segment",
    [
        said(),
        said(no_speech_probability=0.9, mean_log_probability=-0.3),
        said(mean_log_probability=-1.4),
        said("go go go"),
        said("left left right right left left"),
    ],
)
def test_kept(segment: Segment) -> None:
    assert reason_to_drop(segment, duration_s=30.0) is None
