"""Drawn pictures: always a JPEG of a bounded size, whatever the poster is."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from clipstream.gateway.overlays import MAX_SIDE, draw, initial


def _poster(width: int, height: int, form: str = "JPEG") -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 30)).save(made, form)
    return made.getvalue()


@pytest.mark.parametrize("size", [(640, 360), (360, 640), (640, 20), (20, 640), (1, 1), (1920, 1080)])
def test_any_shape_is_as_large_as_a_card(size: tuple[int, int]) -> None:
    picture = Image.open(io.BytesIO(draw(_poster(*size), "processing", "A")))
    assert picture.format == "JPEG"
    assert max(picture.size) == MAX_SIDE
    assert picture.width * size[1] == pytest.approx(picture.height * size[0], rel=0.2 if min(size) < 50 else 0.01)


@pytest.mark.parametrize(
    "poster", [b"", b"<svg/>", _poster(64, 64, "PNG"), _poster(64, 64, "GIF"), _poster(3000, 3000)]
)
def test_what_is_no_poster_of_ours_is_not_shown(poster: bytes) -> None:
    assert draw(poster, "duplicate", "A") == draw(None, "duplicate", "A")


def test_words_and_letters_differ() -> None:
    assert len({draw(None, mark, letter) for mark in ("processing", "duplicate") for letter in ("A", "B", "")}) == 6


@pytest.mark.parametrize(
    ("title", "letter"),
    [
        ("ace", "A"),
        ("  9 lives", "9"),
        ("Über", "U"),
        ("«été»", "E"),
        ("名前", ""),
        ("🎮 ace", "A"),
        ("...", ""),
        ("", ""),
    ],
)
def test_the_letter_of_a_title(title: str, letter: str) -> None:
    assert initial(title) == letter
