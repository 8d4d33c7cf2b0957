"""The sound of source copies: the source's own packets wherever browsers know them, and always in step with the pictures."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from corpus import tiny
from corpus.gameplay import render_audio
from corpus.surgery import trim_head
from integration.transcode.copies import X264, assert_same, copied, offset_s, pictures, small_clip, sound, times


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_that_begins_later_is_heard_in_time(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / f"late{suffix}"
    delayed(source, audio_s=1.5)
    copy = copied(source)
    assert times(copy.audio)[0][0] < Fraction(1024, 48_000)
    assert_same(source, copy)


def test_a_few_last_packets_are_no_segment_of_their_own(tmp_path: Path) -> None:
    """hls.js reckons without the lead that an edit list takes off: a tail about as short as that would lie behind the end
    of what is buffered, and the player would wait for it for ever."""
    source = trim_head(small_clip(tmp_path / "clip.mp4", seed=1, duration_s=6, gop=30, b_frames=2), 2.0)
    copy = copied(source)
    assert [round(segment.duration / copy.audio.timescale, 2) for segment in copy.audio.segments] == [4.05]
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
    assert copy.made.ladder
    assert (copy.audio.channels, copy.audio.sample_rate, copy.audio.codec) == (2, 48_000, "mp4a.40.2")
    first = float(pictures(source)[0][0])
    start, heard = sound(source)
    assert abs(offset_s((start - first, heard), sound(copy.joined(copy.audio)))) <= 0.001


def test_of_several_tracks_the_first_is_heard(tmp_path: Path) -> None:
    tiny.write(tmp_path / "clip.mp4", duration_s=2, audio_tracks=3, options={**X264, "g": "30"})
    copy = copied(tmp_path / "clip.mp4")
    assert copy.audio.segments


def test_a_clip_without_sound_has_none(tmp_path: Path) -> None:
    copy = copied(small_clip(tmp_path / "clip.mp4", seed=1, duration_s=1, audio=False))
    assert copy.made.audio is None
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


def test_a_damaged_packet_is_silent(tmp_path: Path) -> None:
    """A browser stops over one that it cannot decode."""
    source = small_clip(tmp_path / "clip.mp4", seed=1, duration_s=3, gop=30)
    with av.open(str(source)) as reader:
        spans = [(packet.pos, packet.size) for packet in reader.demux(audio=0) if packet.pos and packet.size]
    body = bytearray(source.read_bytes())
    for place, size in spans[40:100]:
        body[place : place + size] = bytes(byte ^ 0xA5 for byte in body[place : place + size])
    source.write_bytes(body)
    copy = copied(source)
    with av.open(copy.joined(copy.audio), "r") as container:
        assert sum(frame.samples for frame in container.decode(container.streams.audio[0])) >= 2.9 * 48_000
