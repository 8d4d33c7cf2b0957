"""Byte ranges as browsers and others send them."""

from __future__ import annotations

import pytest

from clipstream.gateway.ranges import Span, Unsatisfiable, parse


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", Span(0, 0)),
        ("bytes=2-5", Span(2, 5)),
        ("bytes=2-", Span(2, 9)),
        ("bytes=-3", Span(7, 9)),
        ("bytes=-100", Span(0, 9)),
        ("bytes=4-100", Span(4, 9)),
        ("bytes= 1 - 2 ", Span(1, 2)),
    ],
)
def test_one_range(header: str, expected: Span) -> None:
    assert parse(header, 10) == expected


@pytest.mark.parametrize(
    "header",
    ["", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,4-5", "items=0-1", "bytes=a-b", "bytes=" + "9" * 50 + "-"],
)
def test_what_is_not_one_range_is_answered_with_the_whole(header: str) -> None:
    assert parse(header, 10) is None


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_outside_of_the_file(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        parse(header, 10)


def test_an_empty_file_has_no_range() -> None:
    with pytest.raises(Unsatisfiable):
        parse("bytes=0-", 0)
