"""Whole clips made of small media, and what a player would make of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from integration.transcode.whole import Whole, whole

Transcode = Callable[[Path], Whole]


@pytest.fixture
def transcoded(tmp_path: Path) -> Transcode:
    """Make everything of a file, in a directory of its own."""

    def run(source: Path) -> Whole:
        return whole(source, tmp_path / f"{source.name}-out")

    return run
