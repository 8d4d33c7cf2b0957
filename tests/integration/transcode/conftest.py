"""A transcode of small media, and what a player would make of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clipstream.transcode.plan import Recipe
from clipstream.transcode.processor import Package, transcode

Transcoded = tuple[Package, Path]
Transcode = Callable[..., Transcoded]


@pytest.fixture
def transcoded(tmp_path: Path) -> Transcode:
    """Transcode a file into a directory of its own."""

    def run(source: Path, *, ladder: tuple[int, ...] = (144, 240), max_duration_s: float = 60.0) -> Transcoded:
        scratch = tmp_path / f"{source.name}-out"
        scratch.mkdir()
        recipe = Recipe(ladder, "superfast", max_duration_s)
        with source.open("rb") as media:
            return transcode(media, scratch=scratch, recipe=recipe, progress=lambda _: None), scratch

    return run
