"""Sources repackaged as they are: every picture and sample the same, at the same time, whatever the container says first."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from clipstream.common.media.ranges import BLOCK_BYTES, open_ranges
from clipstream.ingest.processor import Bounds, probe
from clipstream.transcode.made import Track
from clipstream.transcode.sourcecopy import copy_source
from corpus import tiny
from corpus.gameplay import remux, render_audio, render_clip
from integration.transcode.copies import BIT_RATE, Copied, copied, offset_s, pictures, sound

small_clip = partial(render_clip, width=160, height=90)
X264 = {"preset": "ultrafast"}


def times(track: Track) -> list[tuple[Fraction, Fraction]]:
    """(start, end) of each segment, in seconds."""
    return [
        (Fraction(each.start, track.timescale), Fraction(each.start + each.duration, track.timescale))
        for each in track.segments
    ]


def in_seconds(*spans: tuple[float, float]) -> list[tuple[Fraction, Fraction]]:
    return [(Fraction(start), Fraction(end)) for start, end in spans]


def assert_same(source: Path, copy: Copied, *, within_s: float = 0.001) -> None:
    """Pixels, their distances in time, samples, and how far those are from the pictures."""
    theirs, ours = pictures(source), pictures(copy.joined(copy.video))
    assert [pixels for _, pixels in ours] == [pixels for _, pixels in theirs]
    begins = times(copy.video)[0][0]
    for (one, _), (other, _) in zip(theirs, ours, strict=True):
        assert abs((one - theirs[0][0]) - (other - ours[0][0])) <= Fraction(1, copy.video.timescale)
    start, heard = sound(source)
    mine = sound(copy.joined(copy.audio))
    assert abs(offset_s((start - float(theirs[0][0]) + float(begins), heard), mine)) <= within_s


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mov", "clip.mkv", "clip.flv", "fragmented.mp4"])
def test_pixels_and_samples_are_the_sources(tmp_path: Path, name: str) -> None:
    options = {"movflags": "frag_keyframe+empty_moov+delay_moov"} if name.startswith("fragmented") else {}
    source = small_clip(tmp_path / name, seed=1, duration_s=3, gop=30, b_frames=2, container_options=options)
    copy = copied(source)
    assert copy.made.verdict == "The source is played as it is."
    assert (copy.made.ladder, copy.made.sound) == (True, True)
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


def trim_head(path: Path, seconds: float) -> Path:
    """Begin later by edit lists alone, as phones trim."""
    body = bytearray(path.read_bytes())
    movie = struct.unpack_from(">I", body, body.index(b"mvhd") + 16)[0]
    place = 0
    while (place := body.find(b"elst", place + 1)) >= 0:
        mdhd = body.index(b"mdhd", place)
        scale = struct.unpack_from(">I", body, mdhd + 16)[0]
        shown, first = struct.unpack_from(">Ii", body, place + 12)
        struct.pack_into(">Ii", body, place + 12, shown - round(seconds * movie), first + round(seconds * scale))
    path.write_bytes(body)
    return path


def with_x264(**options: object) -> Callable[[Path], None]:
    """A clip of stripes; underscores in names of x264's own parameters are hyphens."""
    own = ":".join(f"{name.replace('_', '-')}={value}" for name, value in options.items())
    return lambda path: tiny.write(path, duration_s=3, options={**X264, "x264-params": own})


def rendered(**how: object) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        small_clip(path, seed=1, duration_s=2, **how)  # type: ignore[arg-type]

    return write


def trimmed(path: Path) -> None:
    trim_head(small_clip(path, seed=1, duration_s=6, gop=60), 1.5)


def changing(path: Path) -> None:
    """New parameter sets within the stream, which the container's header does not know."""
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=30, options={**X264, "g": "30"})
        video.width, video.height, video.pix_fmt = 160, 90, "yuv420p"
        output.start_encoding()
        later = av.CodecContext.create("libx264", "w")
        later.width, later.height, later.pix_fmt = 128, 72, "yuv420p"
        later.framerate, later.time_base, later.options = Fraction(30), Fraction(1, 30), {**X264, "g": "30"}
        for number, (encode, size) in enumerate(((video.encode, (160, 90)), (later.encode, (128, 72)))):
            for index in range(60):
                frame = av.VideoFrame(*size, "yuv420p")
                frame.pts, frame.time_base = 60 * number + index, Fraction(1, 30)
                send(output, video, encode(frame))
            send(output, video, encode(None))


def send(
    output: av.container.OutputContainer, stream: av.VideoStream, packets: Sequence[av.Packet[av.VideoStream]]
) -> None:
    for packet in packets:
        packet.stream = stream
        packet.time_base = Fraction(1, 30)
        output.mux(packet)


@pytest.mark.parametrize(
    ("name", "write", "reason"),
    [
        ("hevc.mp4", rendered(video_codec="libx265"), "Its picture is hevc, not H.264."),
        ("vp9.webm", rendered(), "Its picture is vp9, not H.264."),
        ("old.avi", rendered(), "AVI files do not say when a picture is shown."),
        ("deep.mp4", rendered(pixel_format="yuv420p10le"), "Its picture has 10 bits a sample, not 8."),
        ("wide.mp4", rendered(pixel_format="yuv444p"), "Its picture is yuv444p, not 4:2:0."),
        ("turned.mp4", rendered(rotation=90), "Its picture must be turned by 90°."),
        ("hdr.mp4", rendered(hdr=True), "Its picture is HDR."),
        ("rare.mp4", rendered(gop=200, fps=30), ""),
        ("fields.mp4", with_x264(tff=1), "interlaced"),
        ("marked.mp4", with_x264(fake_interlaced=1), "interlaced"),
        ("shape.mp4", with_x264(sar="4/3"), "Its pixels are not square (4:3)."),
        ("level.mp4", with_x264(level="5.2"), "Its H.264 level (5.2) is above 5.1."),
        ("open.mp4", with_x264(keyint=20, open_gop=1, bframes=2), "open GOP"),
        ("open.mkv", with_x264(keyint=20, open_gop=1, bframes=2), "open GOP"),
        ("trimmed.mp4", trimmed, "Its edit list cuts into a run of pictures."),
        ("changing.mp4", changing, "parameters change midway"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value and " " not in value else "",
)
def test_each_hindrance_is_told(tmp_path: Path, name: str, write: Callable[[Path], None], reason: str) -> None:
    write(tmp_path / name)
    copy = copied(tmp_path / name)
    if not reason:
        assert copy.made.video
        return
    assert reason in copy.made.verdict
    assert copy.made.verdict.startswith("The source cannot be played as it is. ")
    assert copy.made.tracks == ()
    assert not copy.made.ladder
    assert not copy.made.sound


def test_a_source_above_the_bit_rate_is_not_opened(tmp_path: Path) -> None:
    source = small_clip(tmp_path / "clip.mp4", seed=1, duration_s=2)
    copy = copied(source, most_bit_rate=200_000)
    assert "more than the 0.2 that are sent as they are" in copy.made.verdict
    assert copy.emitted == ()


def test_key_pictures_too_far_apart_end_the_copy_where_it_shows(tmp_path: Path) -> None:
    """What was handed over by then is the caller's to withdraw."""
    pause = [*range(0, 9000, 100), *range(9000, 18000, 600)]
    tiny.write(tmp_path / "clip.mp4", times_ms=pause, fps=10, duration_s=18, options={**X264, "g": "10"})
    copy = copied(tmp_path / "clip.mp4")
    assert copy.made.verdict.endswith("Its key pictures are more than 5 seconds apart.")
    assert "source-00000.m4s" in copy.emitted
    assert copy.made.tracks == ()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_that_begins_later_is_heard_in_time(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / f"late{suffix}"
    delayed(source, audio_s=1.5)
    copy = copied(source)
    assert copy.made.sound
    assert times(copy.audio)[0][0] < Fraction(1024, 48_000)
    assert_same(source, copy)


def test_sound_that_leads_begins_the_clip(tmp_path: Path) -> None:
    """With the first picture from the beginning on, as encodes have it."""
    source = tmp_path / "lead.mp4"
    delayed(source, video_s=0.5)
    copy = copied(source)
    theirs, ours = pictures(source), pictures(copy.joined(copy.video))
    assert times(copy.video)[0][0] == 0
    assert [pixels for _, pixels in ours] == [pixels for _, pixels in theirs]
    assert float(ours[1][0] - ours[0][0]) == pytest.approx(0.5 + 1 / 30, abs=0.001)
    assert [later - early for (early, _), (later, _) in pairwise(ours[1:])] == [Fraction(1, 30)] * 118
    start, heard = sound(source)
    first = float(theirs[0][0]) - 0.5
    assert abs(offset_s((start - first, heard), sound(copy.joined(copy.audio)))) <= 0.001


def delayed(path: Path, *, audio_s: float = 0.0, video_s: float = 0.0) -> None:
    whole = small_clip(path.with_name("whole.mp4"), seed=1, duration_s=4, gop=30)
    with av.open(str(whole)) as reader, av.open(str(path), "w") as writer:
        copies = {stream.index: writer.add_stream_from_template(stream) for stream in reader.streams}
        for packet in reader.demux():
            if packet.size and packet.pts is not None and packet.dts is not None:
                shift = audio_s if packet.stream.type == "audio" else video_s
                packet.pts += round(shift / packet.time_base)
                packet.dts += round(shift / packet.time_base)
                packet.stream = copies[packet.stream_index]
                writer.mux(packet)


def test_a_hole_in_the_sound_is_silent_and_what_follows_in_time(tmp_path: Path) -> None:
    whole = small_clip(tmp_path / "whole.mkv", seed=1, duration_s=4, gop=30)
    source = tmp_path / "hole.mkv"
    with av.open(str(whole)) as reader, av.open(str(source), "w") as writer:
        copies = {stream.index: writer.add_stream_from_template(stream) for stream in reader.streams}
        for packet in reader.demux():
            lost = packet.stream.type == "audio" and packet.pts is not None and 1500 <= packet.pts < 2500
            if packet.size and not lost:
                if packet.stream.type == "audio" and packet.pts is not None and packet.pts >= 2500:
                    packet.pts, packet.dts = packet.pts + 12, packet.pts + 12  # so that the hole is no whole packets
                packet.stream = copies[packet.stream_index]
                writer.mux(packet)
    copy = copied(source)
    assert not copy.made.sound
    start, heard = sound(whole)
    mine_start, mine = sound(copy.joined(copy.audio))
    late = round(2.7 * 48_000)
    first = float(pictures(whole)[0][0])
    assert abs(offset_s((start - first, heard), (mine_start, mine))) <= 0.001
    shifted = (2.7, heard[late + round(first * 48_000) :]), (2.7, mine[late - round(mine_start * 48_000) :])
    assert abs(offset_s(*shifted) - 0.012) <= 0.0015
    assert np.abs(mine[round(1.6 * 48_000) : round(2.4 * 48_000)]).max() < 0.001


@pytest.mark.parametrize("codec", ["libopus", "ac3"])
def test_sound_that_browsers_do_not_know_is_encoded(tmp_path: Path, codec: str) -> None:
    source = small_clip(tmp_path / "clip.mkv", seed=1, duration_s=3, gop=30, audio_codec=codec)
    copy = copied(source)
    assert (copy.made.ladder, copy.made.sound) == (True, False)
    assert (copy.audio.channels, copy.audio.sample_rate, copy.audio.codec) == (2, 48_000, "mp4a.40.2")
    first = float(pictures(source)[0][0])
    start, heard = sound(source)
    assert abs(offset_s((start - first, heard), sound(copy.joined(copy.audio)))) <= 0.001


def test_of_several_tracks_the_first_is_heard(tmp_path: Path) -> None:
    tiny.write(tmp_path / "clip.mp4", duration_s=2, audio_tracks=3, options={**X264, "g": "30"})
    copy = copied(tmp_path / "clip.mp4")
    assert copy.audio.segments
    assert not copy.made.sound


def test_a_clip_without_sound_has_none(tmp_path: Path) -> None:
    copy = copied(small_clip(tmp_path / "clip.mp4", seed=1, duration_s=1, audio=False))
    assert copy.made.audio is None
    assert not copy.made.sound
    assert copy.made.ladder


def test_a_recording_without_pictures_is_copied(tmp_path: Path) -> None:
    source = render_audio(tmp_path / "voice.m4a", seed=1, duration_s=9)
    copy = copied(source)
    assert copy.made.video is None
    assert [float(end - start) for start, end in times(copy.audio)] == pytest.approx([4.01, 4.01, 1.0], abs=0.05)
    assert abs(offset_s(sound(source), sound(copy.joined(copy.audio)))) <= 0.001


def test_a_recording_in_mp3_is_not(tmp_path: Path) -> None:
    copy = copied(render_audio(tmp_path / "voice.mp3", seed=1, duration_s=2))
    assert copy.made.verdict.endswith("It has no picture, and its sound is not AAC.")


def test_a_file_that_breaks_off_is_not_copied(tmp_path: Path) -> None:
    source = small_clip(
        tmp_path / "clip.mp4", seed=1, duration_s=4, gop=30, container_options={"movflags": "faststart"}
    )
    body = source.read_bytes()
    source.write_bytes(body[: len(body) * 8 // 10])
    copy = copied(source)
    assert copy.made.verdict.endswith("It is damaged or breaks off.")


def test_a_packet_whose_units_do_not_fill_it_is_told(tmp_path: Path) -> None:
    source = small_clip(tmp_path / "clip.mp4", seed=1, duration_s=2, gop=30, audio=False)
    body = bytearray(source.read_bytes())
    start = body.index(b"mdat") + 4
    body[start + 1] = 0x7F
    source.write_bytes(body)
    with source.open("rb") as file:
        made = copy_source(
            file,
            scratch=tmp_path,
            media=copied(
                remux(small_clip(tmp_path / "b.mp4", seed=1, duration_s=2, gop=30, audio=False), tmp_path / "c.mp4")
            ).media,
            most_bit_rate=BIT_RATE,
            emit=lambda _: None,
            progress=lambda _: None,
        )
    assert made.verdict.endswith("It is damaged: there is a packet that breaks off.")


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
