"""Posters, tiles and previews of real files."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from clipstream.common.contracts.media import MediaInfo
from clipstream.common.errors import Permanent
from clipstream.ingest.processor import Bounds, probe
from clipstream.transcode.hover import compose_preview
from clipstream.transcode.made import Poster
from clipstream.transcode.picture import Preparation
from clipstream.transcode.planned import Plan
from clipstream.transcode.poster import draw_poster
from clipstream.transcode.storyboard import compose
from clipstream.transcode.taps import Taps
from clipstream.transcode.waveform import WHOLE_S
from corpus.gameplay import render_audio, render_clip
from corpus.world import World
from unit.transcode.pictured import plan_of

small_clip = partial(render_clip, width=320, height=180)
Luma = npt.NDArray[np.uint8]


def facts(source: Path) -> MediaInfo:
    with source.open("rb") as media:
        return probe(media, bounds=Bounds(min_duration_s=0.01)).media


def drawn(source: Path, scratch: Path, media: MediaInfo | None = None) -> Poster:
    with source.open("rb") as file:
        return draw_poster(file, scratch=scratch, media=media or facts(source))


def opened(file: Path) -> Image.Image:
    picture = Image.open(file)
    assert picture.format == "JPEG"
    return picture.convert("RGB")


def alike(picture: Image.Image, truth: Luma) -> float:
    """Correlation of a picture and what was drawn."""
    luma = np.asarray(picture.convert("L").resize((truth.shape[1], truth.shape[0])))
    return float(np.corrcoef(luma.ravel(), truth.ravel())[0, 1])


def best(picture: Image.Image, seed: int, times: list[float], turns: int = 0) -> float:
    return max(alike(picture, np.ascontiguousarray(np.rot90(World(seed, 320, 180).draw(t).y, -turns))) for t in times)


def seen(frame: av.VideoFrame) -> Image.Image:
    return Image.fromarray(frame.to_ndarray(format="rgb24", interpolation="BICUBIC"))


def tapped(source: Path, scratch: Path) -> tuple[Plan, Image.Image, list[av.VideoFrame]]:
    """The sprite and the preview's pictures, made as a chunk that is the whole clip would."""
    media = facts(source)
    assert media.video is not None
    plan = plan_of(media.duration_s, rate=(round(media.video.frame_rate), 1), video=media.video)
    preparation, taps = Preparation(media.video), Taps(plan, plan.chunks[0], scratch)
    with av.open(str(source)) as container:
        for slot, frame in enumerate(_prepared(preparation, container.decode(video=0))):
            taps.look(slot, frame)
    tiles, pictures = taps.finish()
    assert tiles is not None
    assert pictures is not None
    jpeg, _ = compose({1: (scratch / tiles).read_bytes()}, plan)
    preview = compose_preview({1: (scratch / pictures).read_bytes()}, plan)
    with av.open(io.BytesIO(preview), "r") as container:
        return plan, Image.open(io.BytesIO(jpeg)).convert("RGB"), list(container.decode(video=0))


def _prepared(preparation: Preparation, frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    for frame in frames:
        yield from preparation(frame)
    yield from preparation.flush()


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


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_everything_is_upright(tmp_path: Path, rotation: int) -> None:
    source = small_clip(tmp_path / "clip.mp4", seed=6, duration_s=2, rotation=rotation, gop=15)
    turns, sideways = rotation // 90, rotation != 180
    poster = opened(tmp_path / drawn(source, tmp_path).plain_file)
    assert poster.size == ((180, 320) if sideways else (320, 180))
    times = [number / 30 for number in range(60)]
    assert best(poster, 6, times[::15], turns) > 0.9
    plan, sprite, preview = tapped(source, tmp_path)
    assert plan.tile == ((90, 160) if sideways else (160, 90))
    assert sprite.size == (2 * plan.tile[0], plan.tile[1])
    for index in range(2):
        tile = sprite.crop((index * plan.tile[0], 0, (index + 1) * plan.tile[0], plan.tile[1]))
        assert best(tile, 6, times[30 * index + 10 : 30 * index + 20], turns) > 0.9
        assert best(tile, 6, times[30 * index + 10 : 30 * index + 20 : 5], turns + 2) < 0.6
    assert (preview[0].width, preview[0].height) == ((180, 320) if sideways else (320, 180))
    assert best(seen(preview[12]), 6, times[28:33], turns) > 0.9


def test_the_last_tile_is_of_the_last_second(tmp_path: Path) -> None:
    source = small_clip(tmp_path / "clip.mp4", seed=7, duration_s=3.5, audio=False)
    plan, sprite, preview = tapped(source, tmp_path)
    assert plan.duration_s == pytest.approx(3.5)
    last = sprite.crop((3 * 160, 0, 4 * 160, 90))
    assert best(last, 7, [3.2, 3.233, 3.2667, 3.3]) > max(0.9, best(last, 7, [2.0, 2.25, 2.5, 2.75, 3.0]) + 0.05)
    assert len(preview) == 42
    assert best(seen(preview[-1]), 7, [3.4, 3.4333, 3.4667]) > 0.9


PRIMARIES = [(0.75, 0.1, 0.1), (0.1, 0.6, 0.1), (0.1, 0.15, 0.7), (0.7, 0.7, 0.7)]


def stripes(path: Path, *, matrix: int, full: bool, pixel_format: str = "yuv444p", turn: int = 0) -> Path:
    """Four stripes of known colours."""
    rgb = np.repeat(np.array(PRIMARIES), 40, axis=0)[None].repeat(90, axis=0)
    frame = av.VideoFrame.from_ndarray(np.round(rgb * 255).astype(np.uint8), format="rgb24")
    frame = frame.reformat(
        format=pixel_format,
        dst_colorspace={1: "ITU709", 6: "ITU601"}[matrix],
        dst_color_range="JPEG" if full else "MPEG",
    )
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=10, options={"preset": "ultrafast", "crf": "8"})
        stream.width, stream.height, stream.pix_fmt = 160, 90, pixel_format
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc = matrix, matrix, matrix
        context.color_range = 2 if full else 1
        if turn:
            stream.set_display_rotation(-turn)
        for number in range(10):
            frame.pts, frame.time_base = number, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p", "yuv422p10le"])
@pytest.mark.parametrize(("matrix", "full"), [(1, False), (6, False), (1, True)])
@pytest.mark.parametrize("turn", [0, 180])
def test_colours_are_right_in_every_picture(
    tmp_path: Path, pixel_format: str, matrix: int, full: bool, turn: int
) -> None:
    """The poster is JFIF, the sprite too, the preview BT.709: whatever matrix and range the clip has."""
    source = stripes(tmp_path / "clip.mp4", matrix=matrix, full=full, pixel_format=pixel_format, turn=turn)
    _, sprite, preview = tapped(source, tmp_path)
    poster = opened(tmp_path / drawn(source, tmp_path).plain_file)
    for picture in (poster, sprite, seen(preview[0])):
        found = [picture.getpixel((picture.width * (2 * index + 1) // 8, picture.height // 2)) for index in range(4)]
        wanted = PRIMARIES[::-1] if turn else PRIMARIES
        assert np.array(found) == pytest.approx(np.array(wanted) * 255, abs=9)


HDR_GREYS = {
    "pq": (16, (0.30, 0.508, 0.581, 0.752, 0.903), (72, 178, 210, 250, 255)),  # 10, 100, 203, 1000 and 4000 nits
    "hlg": (18, (0.15, 0.50, 0.75, 0.90, 1.00), (43, 143, 230, 254, 255)),  # of them 0.75 is diffuse white
}


@pytest.mark.parametrize("kind", list(HDR_GREYS))
def test_hdr_is_mapped_in_every_picture(tmp_path: Path, kind: str) -> None:
    """To what unit/transcode/test_tonemap.py derives from the light, and told apart up to the brightest."""
    transfer, signals, expected = HDR_GREYS[kind]
    path = tmp_path / "hdr.mp4"
    luma = np.repeat(np.round(64 + 876 * np.array(signals)).astype(np.uint16), 64)[None].repeat(180, axis=0)
    frame = av.VideoFrame.from_ndarray(np.concatenate([luma, np.full((90, 320), 512, np.uint16)]), format="yuv420p10le")
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx265", rate=10, options={"preset": "ultrafast", "x265-params": "log-level=none"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p10le"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, transfer, 9, 1
        for number in range(10):
            frame.pts, frame.time_base = number, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    _, sprite, preview = tapped(path, tmp_path)
    poster = opened(tmp_path / drawn(path, tmp_path).plain_file)
    for picture in (poster, sprite, seen(preview[0])):
        found = [picture.getpixel((picture.width * (2 * index + 1) // 10, picture.height // 2)) for index in range(5)]
        assert np.array(found) == pytest.approx(np.array(expected)[:, None].repeat(3, axis=1), abs=6)


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
