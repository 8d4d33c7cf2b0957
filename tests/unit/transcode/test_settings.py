"""Ladders that make no sense are refused at start, in words."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from clipstream.transcode.settings import Settings


def test_a_ladder_is_sorted() -> None:
    assert settings("1080,480,720").transcode_ladder == (480, 720, 1080)


@pytest.mark.parametrize("ladder", ["", "480,480", "481", "100", "4320", ",".join(str(144 + 2 * n) for n in range(64))])
def test_a_ladder_without_sense_is_refused(ladder: str) -> None:
    with pytest.raises(ValidationError, match="ladder"):
        settings(ladder)


def settings(ladder: str) -> Settings:
    return Settings.model_validate(
        {"amqp_url": "amqp://guest:guest@localhost/", "storage_root": "media", "transcode_ladder": ladder}
    )
