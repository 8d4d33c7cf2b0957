"""Chunks become tracks: in order, without a hole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipstream.common.errors import Permanent
from clipstream.transcode.made import PartMade, Track
from clipstream.transcode.publishing.stitch import stitched
from fixtures.tracks import CLOCK, sound, video

FOUR = 4 * CLOCK


def piece(name: str, begin: int, first: int, count: int = 2, **changed: object) -> Track:
    track = video(
        name, ticks=[FOUR] * count, sizes=[1000 * (first + n + 1) for n in range(count)], begin=begin, first=first
    )
    return track.model_copy(update=changed)


def part(begin: int, first: int, count: int = 2, **changed: object) -> PartMade:
    return PartMade(tracks=(piece("720p", begin, first, count, **changed), piece("480p", begin, first, count)))


def test_pieces_of_a_rendition_become_one_track() -> None:
    high, low = stitched([part(0, 0), part(2 * FOUR, 2), part(4 * FOUR, 4, 1)])
    assert (high.name, low.name) == ("720p", "480p")
    assert [segment.file for segment in high.segments] == [Path(f"720p-{n:05d}.m4s") for n in range(5)]
    assert [segment.start for segment in low.segments] == [n * FOUR for n in range(5)]
    assert [segment.size_bytes for segment in high.segments] == [1000, 2000, 3000, 4000, 5000]
    assert high.duration_s == 20


def test_one_piece_is_the_track() -> None:
    assert stitched([part(0, 0)]) == part(0, 0).tracks


def test_sound_that_leads_leaves_pictures_where_they_are() -> None:
    [high, _] = stitched([part(CLOCK // 2, 0), part(CLOCK // 2 + 2 * FOUR, 2)])
    assert high.segments[0].start == CLOCK // 2


def test_renditions_of_a_later_piece_may_stand_in_another_order() -> None:
    turned = PartMade(tracks=tuple(reversed(part(2 * FOUR, 2).tracks)))
    assert [track.name for track in stitched([part(0, 0), turned])] == ["720p", "480p"]


@pytest.mark.parametrize("empty", [PartMade(tracks=()), part(4 * FOUR, 4, 0)], ids=["no-tracks", "no-segments"])
def test_empty_last_pieces_are_left_out(empty: PartMade) -> None:
    assert len(stitched([part(0, 0), part(2 * FOUR, 2), empty, empty])[0].segments) == 4


@pytest.mark.parametrize("parts", [[], [PartMade(tracks=())]], ids=["none", "empty"])
def test_nothing_made_is_no_track(parts: list[PartMade]) -> None:
    assert stitched(parts) == ()


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        pytest.param([part(0, 0), part(2 * FOUR + 1, 2)], "720p-00002.m4s begins at tick 122881 instead", id="hole"),
        pytest.param([part(0, 0), part(2 * FOUR - 1, 2)], "begins at tick 122879 instead of 122880", id="overlap"),
        pytest.param(
            [part(0, 0), part(2 * FOUR, 3)], "720p-00003.m4s stands where segment 2 of 720p", id="number-missing"
        ),
        pytest.param([part(2 * FOUR, 2), part(0, 0)], "stands where segment 0", id="order"),
        pytest.param([part(0, 0), PartMade(tracks=()), part(2 * FOUR, 2)], "piece 2 of 3", id="empty-in-the-middle"),
        pytest.param(
            [part(0, 0), PartMade(tracks=(piece("720p", 2 * FOUR, 2),))], "piece 2 of 2", id="rendition-missing"
        ),
        pytest.param([part(0, 0), part(2 * FOUR, 2, codec="avc1.4d4020")], "the codec of 720p changes", id="codec"),
        pytest.param(
            [part(0, 0), part(2 * FOUR, 2, timescale=90_000)], "the timescale of 720p changes", id="timescale"
        ),
        pytest.param([part(0, 0), part(2 * FOUR, 2, width=1278)], "the width of 720p changes", id="size"),
    ],
)
def test_pieces_that_do_not_fit_are_refused(parts: list[PartMade], why: str) -> None:
    with pytest.raises(Permanent, match=why):
        stitched(parts)


def test_sound_of_one_part_passes() -> None:
    assert stitched([PartMade(tracks=(sound(), sound("audio-1", title="Voice")))])[1].title == "Voice"
