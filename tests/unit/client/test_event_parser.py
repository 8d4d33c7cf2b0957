"""Server-sent events, however they are cut on their way."""

from __future__ import annotations

import pytest

from clipstream.client.errors import Misunderstood
from clipstream.client.live import LONGEST_EVENT, EventParser, ServerEvent

TEXT = (
    ": alive\n\n"
    'id: 7\nevent: processing\ndata: {"a": "ü"}\n\n'
    "event: progress\ndata: one\ndata: two\n\n"
    "event: nothing\n\n"
    "data: named by default\r\n\r\n"
)
EVENTS = [
    ServerEvent("processing", '{"a": "ü"}', "7"),
    ServerEvent("progress", "one\ntwo", "7"),
    ServerEvent("message", "named by default", "7"),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_the_same_however_they_arrive(size: int) -> None:
    parser, raw = EventParser(), TEXT.encode()
    found = [event for start in range(0, len(raw), size) for event in parser.feed(raw[start : start + size])]
    assert found == EVENTS


def test_an_event_that_was_cut_off_is_none() -> None:
    assert list(EventParser().feed(b"event: processing\ndata: {}\n")) == []


def test_an_event_without_end_is_not_kept_for_ever() -> None:
    parser = EventParser()
    with pytest.raises(Misunderstood):
        list(parser.feed(b"data: " + b"x" * LONGEST_EVENT))
