"""What a player offers of several tracks."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.contracts.media import AudioTrack, MediaInfo
from clipstream.transcode.made import Segment, SourceCopy, Track
from clipstream.transcode.planned import Plan
from clipstream.transcode.sound.likeness import Likeness
from clipstream.transcode.sound.menu import boundaries, labelled, means_mix, offered


def likeness(*tracks: float | None) -> Likeness:
    """One track for each seed, half a second of noise; None is silent."""
    made = Likeness(len(tracks))
    rows = [
        np.zeros((2, 24_000)) if seed is None else np.random.default_rng(int(seed)).standard_normal((2, 24_000)) * 0.1
        for seed in tracks
    ]
    made.add(np.stack(rows).astype(np.float32))
    return made


def test_silent_tracks_and_copies_are_not_offered() -> None:
    assert offered(likeness(1, None, 2, 1), [None] * 4) == ([0, 2], False)


def test_a_clip_of_silent_tracks_keeps_the_first() -> None:
    assert offered(likeness(None, None), [None, None]) == ([0], False)


def test_a_title_names_the_mix_and_it_comes_first() -> None:
    assert offered(likeness(1, 2, 3), ["Game", "Mic", "Master"]) == ([2, 0, 1], True)


def test_a_silent_track_is_no_mix_whatever_its_title() -> None:
    assert offered(likeness(1, 2, None), ["Game", "Mic", "Mix"]) == ([0, 1], False)


@pytest.mark.parametrize(
    "title", ["Mix", "full MIX", "Track 1 (Mix)", "Master", "All audio", "stream mix", "everything"]
)
def test_titles_that_mean_the_mix(title: str) -> None:
    assert means_mix(title)


@pytest.mark.parametrize(
    "title", [None, "", "Track1", "Mic", "Game", "Mixer", "DJ mix", "Voice mix-minus", "All Stars"]
)
def test_titles_that_do_not(title: str | None) -> None:
    assert not means_mix(title)


def piece(name: str) -> Track:
    return Track(name=name, kind="audio", codec="mp4a.40.2", timescale=48_000, init_file=Path(name), segments=())


def about(title: str | None, language: str | None = None) -> AudioTrack:
    return AudioTrack(index=0, codec="aac", sample_rate=48_000, channels=2, title=title, language=language)


def test_the_first_is_the_default_and_titles_are_clean() -> None:
    made = labelled(
        [
            (piece("a"), about('My "best"\n mic\x00', "eng")),
            (piece("b"), about("\u202e", "und")),
            (piece("c"), about(None)),
        ]
    )
    assert [track.title for track in made] == ["My 'best' mic", None, None]
    assert [track.language for track in made] == ["en", None, None]
    assert [track.default for track in made] == [True, False, False]


def plan(source: SourceCopy, segment_s: float = 4.0) -> Plan:
    media = MediaInfo(container="matroska", duration_s=9, size_bytes=1, bit_rate=1, video=None)
    return Plan(
        plan_id="p",
        source_key=ObjectKey("raw-uploads/source"),
        media=media,
        origin_s=0,
        duration_s=9,
        max_duration_s=60,
        rate=(30, 1),
        preset="superfast",
        source=source,
        segment_s=segment_s,
    )


def test_segments_are_as_long_as_planned() -> None:
    assert list(islice(boundaries(plan(SourceCopy(verdict="no"), 4.004)), 3)) == [
        Fraction("4.004"),
        Fraction("8.008"),
        Fraction("12.012"),
    ]


def test_beside_a_copied_picture_segments_begin_with_its_own() -> None:
    starts = (0, 64_000, 130_000)
    segments = tuple(Segment(file=Path("s"), start=start, duration=1, size_bytes=1) for start in starts)
    video = Track(name="source", kind="video", codec="avc1", timescale=16_000, init_file=Path("i"), segments=segments)
    copied = SourceCopy(verdict="yes", video=video, ladder=True)
    assert list(boundaries(plan(copied))) == [Fraction(4), Fraction(130, 16)]
    assert next(boundaries(plan(copied.model_copy(update={"ladder": False}), 6.0))) == 6
