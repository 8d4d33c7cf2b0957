"""Where a clip is cut, and where GOPs and segments begin in what is made of each piece."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from clipstream.common.contracts.media import MediaInfo
from clipstream.transcode.chunking import chunks
from clipstream.transcode.made import Segment, SourceCopy, Span, Track
from clipstream.transcode.planned import ChunkPlan

NO = SourceCopy(verdict="No.")
RATE = Fraction(60)


def media(duration_s: float, container: str = "mov,mp4,m4a,3gp,3g2,mj2") -> MediaInfo:
    return MediaInfo(container=container, duration_s=duration_s, size_bytes=1, bit_rate=1, video=None)


def cut(
    duration_s: float,
    *,
    key_every_s: float = 2.0,
    source: SourceCopy = NO,
    origin_s: float = 0.0,
    container: str = "mov,mp4,m4a,3gp,3g2,mj2",
    rate: Fraction = RATE,
) -> tuple[ChunkPlan, ...]:
    keys = [origin_s + n * key_every_s for n in range(int(duration_s / key_every_s) + 1)]
    return chunks(keys, origin_s, rate, media(duration_s, container), source, chunk_s=15.0)


def starts_s(planned: Sequence[ChunkPlan], rate: Fraction = RATE) -> list[float]:
    return [float(chunk.first_slot / rate) for chunk in planned]


def copied(lengths_s: Sequence[float], keys_s: float = 1.0, **facts: bool) -> SourceCopy:
    """A copy with segments of these lengths, and a key picture every so often in each."""
    segments, start = [], 0
    for number, length in enumerate(lengths_s):
        ticks = round(length * 90_000)
        keys = tuple(
            Span(offset=0, size_bytes=1, start=start + at, duration=1) for at in range(0, ticks, round(keys_s * 90_000))
        )
        segments.append(Segment(file=Path(f"{number}"), start=start, duration=ticks, size_bytes=1, keys=keys))
        start += ticks
    video = Track(
        name="source", kind="video", codec="avc1", timescale=90_000, init_file=Path("i"), segments=tuple(segments)
    )
    return SourceCopy(verdict="Yes.", video=video, **facts)


@pytest.mark.parametrize(
    ("duration_s", "expected"),
    [
        (0.5, [0]),
        (12.0, [0]),
        (30.0, [0, 6]),  # its beginning can be played early
        (31.0, [0, 6]),
        (60.0, [0, 6, 20, 36]),
        (300.0, [0, 6, *range(20, 290, 15)]),
    ],
)
def test_a_clip_that_cannot_be_copied_begins_with_a_short_chunk(duration_s: float, expected: list[float]) -> None:
    found = starts_s(cut(duration_s, key_every_s=1.0))
    assert found[:2] == [float(each) for each in expected[:2]]
    assert all(later - earlier <= 16 for earlier, later in pairwise(found)) or duration_s <= 31


@pytest.mark.parametrize(("duration_s", "count"), [(29.0, 1), (30.0, 1), (60.0, 4), (300.0, 20), (1200.0, 80)])
def test_a_clip_that_is_played_from_its_copy_has_even_chunks(duration_s: float, count: int) -> None:
    planned = cut(duration_s, key_every_s=1.0, source=copied([duration_s]))
    assert len(planned) == count
    assert starts_s(planned) == [15.0 * number for number in range(count)]


@pytest.mark.parametrize("key_every_s", [0.5, 1.0, 2.0, 4.1667, 7.3])
@pytest.mark.parametrize("rate", [Fraction(60), Fraction(60000, 1001), Fraction(24)])
def test_chunks_tile_the_clip_and_begin_at_key_pictures(key_every_s: float, rate: Fraction) -> None:
    planned = cut(120.0, key_every_s=key_every_s, origin_s=1000.25, rate=rate)
    assert planned[0].first_slot == 0
    assert planned[-1].end_slot is None
    assert [chunk.number for chunk in planned] == list(range(1, len(planned) + 1))
    assert len(planned) >= 7
    for earlier, later in pairwise(planned):
        assert earlier.end_slot == later.first_slot
        assert later.first_segment == earlier.first_segment + len(earlier.segments)
        keys = (later.from_s - 1000.25) / key_every_s
        assert keys == pytest.approx(round(keys))


def test_gops_of_a_chunk_are_about_two_seconds_and_even() -> None:
    for chunk in cut(120.0, key_every_s=4.1667)[:-1]:
        assert chunk.gops[0] == chunk.first_slot
        assert chunk.end_slot is not None
        lengths = {later - earlier for earlier, later in pairwise((*chunk.gops, chunk.end_slot))}
        assert max(lengths) - min(lengths) <= 1
        assert all(96 <= length <= 160 for length in lengths)


def test_a_source_with_one_key_picture_is_one_chunk() -> None:
    assert len(cut(120.0, key_every_s=500.0)) == 1


def test_a_container_that_cannot_be_entered_in_the_middle_is_one_chunk() -> None:
    assert len(cut(120.0, container="avi")) == 1


def test_beside_a_copy_segments_are_the_copys() -> None:
    lengths = [4.0, 3.5, 5.0, 4.0, 2.5] * 5
    planned = cut(95.0, source=copied(lengths, keys_s=0.5, ladder=True))
    assert len(planned) >= 5
    segments = [chunk.gops[index] / 60 for chunk in planned for index in chunk.segments]
    assert segments == [sum(lengths[:number]) for number in range(len(lengths))]
    for chunk in planned:
        assert chunk.gops[chunk.segments[0]] == chunk.first_slot
        assert chunk.from_s == chunk.first_slot / 60
        gaps = [later - earlier for earlier, later in pairwise(chunk.gops)]
        assert min(gaps) >= 90  # a key picture every half second is for editors, not for streaming
        assert segments[chunk.first_segment] == chunk.first_slot / 60


def test_beside_a_copy_a_short_clip_is_one_chunk() -> None:
    assert len(cut(30.0, source=copied([4.0] * 7 + [2.0], ladder=True))) == 1
