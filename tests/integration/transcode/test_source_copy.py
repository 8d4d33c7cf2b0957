"""Sources repackaged as they are: every picture and sample the same, at the same time, whatever the container says first."""

from __future__ import annotations

import struct
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from clipstream.common.media.ranges import BLOCK_BYTES, open_ranges
from clipstream.ingest.processor import Bounds, probe
from clipstream.transcode.copying.source import copy_source
from integration.transcode.copies import (
    BIT_RATE,
    assert_same,
    copied,
    in_seconds,
    pictures,
    small_clip,
    times,
    trim_head,
)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mov", "clip.mkv", "clip.flv", "fragmented.mp4"])
def test_pixels_and_samples_are_the_sources(tmp_path: Path, name: str) -> None:
    options = {"movflags": "frag_keyframe+empty_moov+delay_moov"} if name.startswith("fragmented") else {}
    source = small_clip(tmp_path / name, seed=1, duration_s=3, gop=30, b_frames=2, container_options=options)
    copy = copied(source)
    assert copy.made.verdict == "The source is played as it is."
    assert copy.made.ladder
    assert (copy.video.width, copy.video.height, copy.video.frame_rate) == (160, 90, 30.0)
    assert_same(source, copy)


def test_a_recorders_late_clock_is_no_part_of_the_clip(tmp_path: Path) -> None:
    source = small_clip(tmp_path / "clip.mkv", seed=1, duration_s=2, b_frames=2, first_s=1000)
    copy = copied(source)
    assert times(copy.video)[0][0] == 0
    assert_same(source, copy)


def test_segments_are_whole_gops_of_about_four_seconds(tmp_path: Path) -> None:
    source = small_clip(tmp_path / "clip.mp4", seed=1, duration_s=10.5, gop=45, b_frames=2)
    copy = copied(source)
    assert times(copy.video) == in_seconds((0, 3), (3, 6), (6, 9), (9, 10.5))
    assert [[key.duration for key in segment.keys] for segment in copy.video.segments[:2]] == [[23040] * 2] * 2
    assert copy.emitted[0] == "source-init.mp4"
    assert [name for name in copy.emitted if name.startswith("source-0")] == [
        f"source-{number:05d}.m4s" for number in range(4)
    ]
    for one, other in pairwise(times(copy.audio)):
        assert one[1] == other[0]
        assert 3 < one[1] - one[0] < 4.1


def test_key_spans_hold_one_whole_picture(tmp_path: Path) -> None:
    """What an I-frame playlist asks for: decodable behind the initialisation segment alone."""
    copy = copied(small_clip(tmp_path / "clip.mp4", seed=1, duration_s=4, gop=30, b_frames=2))
    init = (copy.directory / copy.video.init_file).read_bytes()
    theirs = dict(pictures(tmp_path / "clip.mp4"))
    found = 0
    for segment in copy.video.segments:
        body = (copy.directory / segment.file).read_bytes()
        for key in segment.keys:
            piece = body[key.offset : key.offset + key.size_bytes]
            decoder = av.CodecContext.create("h264", "r")
            decoder.extradata = init[init.index(b"avcC") + 4 :]
            moof = struct.unpack_from(">I", piece)[0]
            [frame] = [*decoder.decode(av.Packet(piece[moof + 8 :])), *decoder.decode(None)]
            assert frame.to_ndarray().tobytes() == theirs[Fraction(key.start, copy.video.timescale)]
            found += 1
    assert found == 4


def test_a_variable_rate_is_kept_but_stays_out_of_the_ladder(tmp_path: Path) -> None:
    source = small_clip(tmp_path / "clip.mp4", seed=1, duration_s=4, b_frames=2, variable_frame_rate=True)
    copy = copied(source)
    assert "do not come at a constant rate" in copy.made.verdict
    assert not copy.made.ladder
    assert_same(source, copy)
    for (_, end), (start, _) in pairwise(times(copy.video)):
        assert end == start


def test_120_pictures_a_second_are_played_but_stay_out_of_the_ladder(tmp_path: Path) -> None:
    source = small_clip(tmp_path / "clip.mp4", seed=1, duration_s=1, fps=120, gop=120)
    copy = copied(source)
    assert copy.made.verdict.endswith("it has 120 pictures a second.")
    assert not copy.made.ladder
    assert_same(source, copy)


def test_gops_of_five_seconds_are_segments_of_their_own(tmp_path: Path) -> None:
    source = small_clip(tmp_path / "clip.mp4", seed=1, duration_s=12, fps=20, gop=100)
    copy = copied(source)
    assert times(copy.video) == in_seconds((0, 5), (5, 10), (10, 12))


def test_nothing_but_key_pictures_makes_fragments_of_half_a_second(tmp_path: Path) -> None:
    source = small_clip(tmp_path / "clip.mp4", seed=1, duration_s=5, gop=1)
    copy = copied(source)
    assert [len(segment.keys) for segment in copy.video.segments] == [8, 2]
    assert_same(source, copy)


def test_an_edit_list_that_begins_with_a_key_picture_is_kept_to(tmp_path: Path) -> None:
    source = trim_head(small_clip(tmp_path / "clip.mp4", seed=1, duration_s=6, gop=30, b_frames=2), 2.0)
    copy = copied(source)
    assert len(pictures(source)) == 120
    assert_same(source, copy)


def test_a_file_with_its_index_at_the_end_is_read_once(tmp_path: Path) -> None:
    """By ranges of the store's object: its head, its index, then on through the media data."""
    source = small_clip(tmp_path / "clip.mp4", seed=1, duration_s=20, gop=30, width=480, height=270)
    body = source.read_bytes()
    assert body.index(b"moov") > body.index(b"mdat")
    assert len(body) > 3 * BLOCK_BYTES
    with source.open("rb") as file:
        media = probe(file, bounds=Bounds()).media
    asked: list[int] = []

    def fetch(offset: int, length: int) -> bytes:
        asked.append(length)
        return body[offset : offset + length]

    ranges = open_ranges(fetch, len(body))
    handed_over: list[int] = []
    made = copy_source(
        ranges,
        scratch=tmp_path,
        media=media,
        most_bit_rate=BIT_RATE,
        emit=lambda _: handed_over.append(ranges.tell()),
        progress=lambda _: None,
    )
    assert made.ladder
    assert handed_over[3] < len(body) // 2 < handed_over[-1]  # both headers, and the first segment of each
    assert sum(asked) <= len(body) + 2 * BLOCK_BYTES
    assert len(asked) <= 4 + len(body) // BLOCK_BYTES
