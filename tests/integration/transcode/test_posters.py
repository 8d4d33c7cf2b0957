"""Posters of real files: which picture is chosen, and that there is one."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from uuid import uuid4

import av
import numpy as np
import pytest

from clipstream.common.contracts import keys
from clipstream.common.contracts.ids import VideoId
from clipstream.common.errors import Permanent
from clipstream.common.stage.isolate import isolate
from clipstream.common.store.disk.store import DiskStore
from clipstream.transcode.pictures.poster import draw_poster
from clipstream.transcode.pictures.waveform import WHOLE_S
from corpus.gameplay import render_audio, render_clip
from corpus.world import World
from integration.transcode.seen import Luma, best, drawn, facts, opened, small_clip


def scenes(path: Path, *parts: Callable[[int], Luma], gop: int = 10, size: tuple[int, int] = (320, 180)) -> Path:
    """A clip of 10 pictures a second; each part gives 20 luma pictures by number. Colours are none."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=10, options={"preset": "ultrafast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.gop_size = gop
        for number in range(20 * len(parts)):
            luma = parts[number // 20](number % 20)
            chroma = np.full((luma.shape[0] // 2, luma.shape[1]), 128, np.uint8)
            frame = av.VideoFrame.from_ndarray(np.concatenate([luma, chroma]), format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def clear(seed: int) -> Callable[[int], Luma]:
    world = World(seed, 320, 180)
    return lambda number: world.draw(number / 10).y.copy()


def black(_: int) -> Luma:
    return np.full((180, 320), 16, np.uint8)


def white(_: int) -> Luma:
    return np.full((180, 320), 235, np.uint8)


def fading(seed: int) -> Callable[[int], Luma]:
    """Out of black, never more than 70 % there."""
    world = World(seed, 320, 180)
    return lambda number: (16 + (world.draw(0).y.astype(np.float32) - 16) * 0.7 * number / 20).astype(np.uint8)


def swept(seed: int) -> Callable[[int], Luma]:
    """A fast turn, as motion blur shows it."""
    world = World(seed, 320, 180)

    def draw(number: int) -> Luma:
        luma = world.draw(number / 10).y.astype(np.float32)
        return np.asarray(np.mean([np.roll(luma, shift, axis=1) for shift in range(24)], axis=0), np.uint8)

    return draw


@pytest.mark.parametrize("gop", [10, 250])
@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param((black, fading(1)), id="black"),
        pytest.param((swept(1), swept(2)), id="swept"),
        pytest.param((white, fading(2)), id="white"),
    ],
)
def test_the_poster_is_a_clear_picture(tmp_path: Path, spoilt: tuple[Callable[[int], Luma], ...], gop: int) -> None:
    """With a key picture a second, and with one at the beginning only."""
    source = scenes(tmp_path / "clip.mp4", *spoilt, clear(3), spoilt[0], gop=gop)
    poster = opened(tmp_path / drawn(source, tmp_path).plain_file)
    assert best(poster, 3, [number / 10 for number in range(20)]) > 0.9


def test_the_opening_loses_against_an_equal(tmp_path: Path) -> None:
    """The menu that a recording begins with is as sharp as the match, or a little more so."""
    menu, match = clear(6), clear(3)
    source = scenes(tmp_path / "clip.mp4", lambda number: menu(0) if number < 10 else match(number), *[match] * 4)
    poster = opened(tmp_path / drawn(source, tmp_path).plain_file)
    assert best(poster, 3, [number / 10 for number in range(20)]) > 0.9


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    path = tmp_path / "dv.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 180, 144, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(64, 45)
        for number in range(10):
            buffer = World(2, 180, 144).draw(number / 25).buffer
            output.mux(stream.encode(av.VideoFrame.from_ndarray(buffer, format="yuv420p")))
        output.mux(stream.encode(None))
    assert opened(tmp_path / drawn(path, tmp_path).plain_file).size == (256, 144)


def test_large_clips_get_a_small_poster_and_marked_copies(tmp_path: Path) -> None:
    source = render_clip(tmp_path / "clip.mp4", seed=2, duration_s=0.5, width=1280, height=720)
    poster = drawn(source, tmp_path)
    plain, processing, duplicate = (
        opened(tmp_path / file) for file in (poster.plain_file, poster.processing_file, poster.duplicate_file)
    )
    assert plain.size == processing.size == duplicate.size == (640, 360)
    above = (0, 0, 640, 280)
    grey = np.asarray(duplicate.crop(above), np.int16)
    assert int(np.abs(grey[..., 0] - grey[..., 2]).max()) <= 4, "a duplicate has no colours"
    assert (
        float(np.abs(np.asarray(plain.crop(above), np.int16) - np.asarray(processing.crop(above), np.int16)).mean()) < 3
    )
    band = np.asarray(processing.convert("L").crop((0, 300, 640, 360)))
    assert int(band.max()) > 220, "the word"
    assert float(np.median(band)) < 90, "on a dark band"


@pytest.mark.parametrize("duration_s", [5.0, WHOLE_S + 5])
def test_a_recording_without_pictures_gets_a_waveform(tmp_path: Path, duration_s: float) -> None:
    """Short ones are read whole, long ones here and there."""
    source = tmp_path / "voice.m4a"
    with av.open(str(source), "w") as output:
        stream = output.add_stream("aac", rate=48_000, layout="mono")
        count = round(duration_s * 48_000)
        samples = np.sin(np.arange(count) / 20).astype(np.float32) * np.where(np.arange(count) < count / 2, 0.05, 0.8)
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    poster = drawn(source, tmp_path)
    lit = (np.asarray(opened(tmp_path / poster.plain_file))[..., 2] > 150).mean(axis=0)
    assert opened(tmp_path / poster.plain_file).size == (640, 360)
    assert 0.02 < float(lit[:300].mean()) < 0.1, "the quiet half"
    assert float(lit[340:].mean()) > 0.4, "the loud half"
    assert opened(tmp_path / poster.processing_file).size == (640, 360)


@pytest.mark.parametrize("suffix", [".mp3", ".ogg", ".flac", ".wav"])
def test_any_kind_of_recording(tmp_path: Path, suffix: str) -> None:
    poster = drawn(render_audio(tmp_path / f"voice{suffix}", seed=1, duration_s=2), tmp_path)
    assert np.asarray(opened(tmp_path / poster.plain_file)).std() > 5


@pytest.mark.parametrize(("suffix", "first_s"), [(".webm", 0.0), (".avi", 0.0), (".mkv", 1000.0), (".flv", 0.0)])
def test_any_container(tmp_path: Path, suffix: str, first_s: float) -> None:
    source = small_clip(tmp_path / f"clip{suffix}", seed=9, duration_s=2, first_s=first_s, gop=20)
    poster = opened(tmp_path / drawn(source, tmp_path).plain_file)
    assert best(poster, 9, [number / 30 for number in range(60)]) > 0.9


def test_one_picture_is_enough(tmp_path: Path) -> None:
    source = small_clip(tmp_path / "clip.mp4", seed=1, duration_s=1 / 30, audio=False)
    assert best(opened(tmp_path / drawn(source, tmp_path).plain_file), 1, [0.0]) > 0.9


def test_a_clip_cut_off_in_the_middle_still_has_a_poster(tmp_path: Path) -> None:
    whole = small_clip(tmp_path / "whole.mkv", seed=1, duration_s=4, gop=20)
    source = tmp_path / "clip.mkv"
    source.write_bytes(whole.read_bytes()[: whole.stat().st_size // 3])
    poster = opened(tmp_path / drawn(source, tmp_path, facts(whole)).plain_file)
    assert best(poster, 1, [number / 30 for number in range(60)]) > 0.9


@pytest.mark.parametrize("audio", [False, True])
def test_nothing_that_decodes_is_said_in_words(tmp_path: Path, audio: bool) -> None:
    whole = small_clip(
        tmp_path / "whole.mp4", seed=1, duration_s=1, container_options={"movflags": "faststart"}, audio=audio
    )
    media = facts(whole)
    body = bytearray(whole.read_bytes())
    start = body.index(b"mdat") + 4
    body[start:] = bytes(len(body) - start)
    source = tmp_path / "clip.mp4"
    source.write_bytes(body)
    with pytest.raises(Permanent, match="Not one picture of this clip could be decoded"):
        drawn(source, tmp_path, media)


async def test_the_cage_has_all_that_a_poster_needs(tmp_path: Path, disk_store: DiskStore) -> None:
    """The fonts of the marks among it: nothing is read from the machine."""
    source = small_clip(tmp_path / "clip.mp4", seed=1, duration_s=1)
    key = keys.original(VideoId(uuid4()), ".mp4")
    await disk_store.put_file(key, source, content_type="video/mp4")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    made = await isolate(draw_poster, store=disk_store, source=key, scratch=scratch, media=facts(source))
    for file in (made.plain_file, made.processing_file, made.duplicate_file):
        assert opened(scratch / file).width >= 320
