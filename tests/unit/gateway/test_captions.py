"""WebVTT to SubRip and text."""

from __future__ import annotations

from clipstream.gateway import captions

VTT = """WEBVTT
X-TIMESTAMP-MAP=LOCAL:00:00:00.000

NOTE made by a machine

first
00:01.500 --> 00:03.000 line:90%
Enemy on the left &amp; right

01:00:05.000 --> 01:00:07.250
<v Anna>I need ammo</v>
now!
"""


def test_subrip_has_numbers_hours_and_commas() -> None:
    assert captions.srt(VTT) == (
        "1\n00:00:01,500 --> 00:00:03,000\nEnemy on the left & right\n\n"
        "2\n01:00:05,000 --> 01:00:07,250\nI need ammo\nnow!\n"
    )


def test_plain_text_is_one_line_a_cue() -> None:
    assert captions.plain(VTT) == "Enemy on the left & right\nI need ammo now!\n"


def test_nothing_said_is_an_empty_file() -> None:
    assert captions.srt("WEBVTT\n") == captions.plain("WEBVTT\n") == ""


def test_windows_line_ends_are_read() -> None:
    assert captions.plain(VTT.replace("\n", "\r\n")) == captions.plain(VTT)
