"""Whether captions are offered, and as which language."""

from __future__ import annotations

import pytest

from clipstream.transcode.manifests.captions import captions_of
from clipstream.transcode.manifests.labels import language


def test_nothing_said_is_no_captions() -> None:
    assert captions_of(0, "en") is None


def test_captions_have_the_language_that_was_heard() -> None:
    made = captions_of(3, "de")
    assert made is not None
    assert (made.language, made.name) == ("de", "Captions")


def test_an_unknown_language_is_left_out() -> None:
    made = captions_of(1, None)
    assert made is not None
    assert made.language is None


@pytest.mark.parametrize(
    ("tag", "shown"),
    [
        ("eng", "en"),
        ("GER", "de"),
        ("deu", "de"),
        ("en", "en"),
        ("pt-BR", "pt-BR"),
        ("haw", "haw"),
        ("und", None),
        ("", None),
        (None, None),
        ('en"', None),
        ("e\n", None),
        ("english please", None),
        ("en-" + "a" * 9, None),
    ],
)
def test_languages_are_tags_that_players_know(tag: str | None, shown: str | None) -> None:
    assert language(tag) == shown
