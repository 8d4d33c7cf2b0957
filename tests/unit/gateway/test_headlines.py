"""Found words in their texts."""

from __future__ import annotations

import pytest

from clipstream.gateway.headlines import excerpt, runs

S, E = "\ue000", "\ue001"


@pytest.mark.parametrize(
    ("written", "headline", "cut"),
    [
        ("plain", "plain", ["plain"]),
        ("a_b", f"a {S}b{E}", ["a_", "b", ""]),
        ("a-b-a", f"{S}a{E} b {S}a{E}", ["", "a", "-b-", "a", ""]),
        (f"x{S}y z", f"x y {S}z{E}", [f"x{S}y ", "z", ""]),
        ("", "", [""]),
    ],
)
def test_runs_are_cut_from_what_was_written(written: str, headline: str, cut: list[str]) -> None:
    assert runs(written, headline) == cut
    assert "".join(cut) == written


def test_a_short_text_is_shown_whole() -> None:
    assert excerpt(["a ", "b", " c"]) == ["a ", "b", " c"]


@pytest.mark.parametrize(
    ("marked", "shown"),
    [
        (["word " * 10], ["word word word word …"]),
        (["a " * 20, "found", " b" * 20], ["… a a ", "found", " b b b b b …"]),
        (["", "found", " b" * 20], ["", "found", " b b b b b b b …"]),
        (["a " * 20, "found", ""], ["… a a ", "found"]),
        (["a ", "x" * 30, " b", "y", ""], ["a ", "x" * 18, " …"]),
        (["a ", "x", " b" * 20, "y", ""], ["a ", "x", " b b b b b b b b …"]),
    ],
)
def test_a_long_text_is_cut_around_the_first_word(marked: list[str], shown: list[str]) -> None:
    assert excerpt(marked, 20) == shown
