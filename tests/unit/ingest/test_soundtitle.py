"""Titles that people gave are told, names that programs write into every file are not."""

from __future__ import annotations

import pytest

from clipstream.ingest.soundtitle import title


@pytest.mark.parametrize(
    "handler",
    [
        "SoundHandler",
        "SoundHandle",
        "Core Media Audio",
        "Apple Sound Media Handler",
        "OBS Audio Handler",
        "ISO Media file produced by Google Inc. Created on: 11/21/2026.",
        "GPAC ISO Audio Handler",
        "voice.aac#trackID=1@GPAC0.5.2",
        "#Mainconcept MP4 Sound Media Handler",
        "soun",
        "Stereo",
        "",
        "  ",
    ],
)
def test_a_program_is_no_title(handler: str) -> None:
    assert title({"handler_name": handler}) is None


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ({"title": "Mic"}, "Mic"),
        ({"name": "Mic", "handler_name": "SoundHandler"}, "Mic"),
        ({"handler_name": "Game Audio"}, "Game Audio"),
        ({"title": "Mic", "name": "Other", "handler_name": "Third"}, "Mic"),
        ({"title": " ", "name": "Mic"}, "Mic"),
        ({}, None),
    ],
)
def test_what_somebody_wrote_is(tags: dict[str, str], told: str | None) -> None:
    assert title(tags) == told
