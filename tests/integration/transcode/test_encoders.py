"""Encoders and their trial. What a card and its driver get wrong is made with real encoders and real children; no test needs
a card, and none shows that one works."""

from __future__ import annotations

import contextlib
import io
import subprocess
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from av.error import ArgumentError, FFmpegError

from clipstream.common.errors import EncoderFailed, Outage, Permanent, Transient
from clipstream.common.stage.context import Limits
from clipstream.common.stage.isolate import isolate
from clipstream.transcode.encoding.encoders import (
    HARDWARE,
    codec_options,
    describe,
    devices,
    encoding,
    forced_keys,
    is_to_blame,
)
from clipstream.transcode.encoding.hardware import working_encoder
from clipstream.transcode.encoding.trial import GOPS, HEIGHT, PICTURES, WIDTH, judge, record, try_encoder
from clipstream.transcode.pictures.colour import BT709
from clipstream.transcode.planned import Rendition
from corpus import cards

NO_CARD = (av.error.PermissionError, av.error.UnknownError, av.error.ExternalError)
SMALL = Rendition(name="144p", width=256, height=144, max_bit_rate=500_000)
X264 = codec_options("libx264", SMALL, 10, "veryfast")


def test_x264_passes_its_trial_whatever_the_preset() -> None:
    assert try_encoder(encoder="libx264") == PICTURES
    for preset in ("ultrafast", "medium"):
        assert judge(record("libx264", codec_options("libx264", SMALL, 10, preset))) == PICTURES


def test_x264_begins_gops_where_it_is_told_and_after_so_many_pictures() -> None:
    options = codec_options("libx264", SMALL, 6, "veryfast")
    with pytest.raises(EncoderFailed, match=r"at pictures 0, 6, 8, 14, 15, 21, 25 instead of 0, 8, 15, 25"):
        judge(record("libx264", options))


def test_x264_is_told_only_of_gops_that_it_would_not_begin_by_itself() -> None:
    assert forced_keys("libx264", (0, 120, 240, 360), 120) == frozenset()
    assert forced_keys("libx264", (240, 340, 460, 580, 600), 120) == {340, 600}
    assert forced_keys("h264_nvenc", (240, 360, 480), 120) == {240, 360, 480}


async def test_a_card_that_is_not_there_is_told_across_the_cage(tmp_path: Path) -> None:
    """Without devices the cage keeps every card closed: a real driver's failure, on any machine."""
    for encoder in HARDWARE:
        with pytest.raises(EncoderFailed, match=f"The encoder {encoder} failed"):
            await isolate(try_encoder, scratch=tmp_path, limits=Limits(), encoder=encoder)


@pytest.mark.parametrize(
    ("encoder", "limit_s", "reason"),
    [
        ("h264_nvenc", 60, "The pictures are green."),
        ("h264_qsv", 2, "took longer than the 2 s it may"),
        ("h264_amf", 60, "crashed (SIGSEGV)"),
    ],
)
async def test_an_encoder_that_fails_its_trial_is_not_used_and_the_log_says_why(
    encoder: str, limit_s: int, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limit = timedelta(seconds=limit_s)
    assert await working_encoder(encoder, tmp_path, trial=cards.drive_badly, limit=limit) == "libx264"
    logged = capsys.readouterr().out
    assert "encoder_refused" in logged
    assert encoder in logged
    assert reason in logged


async def test_an_encoder_that_passes_is_used(tmp_path: Path) -> None:
    assert await working_encoder("h264_nvenc", tmp_path, trial=cards.drive_well) == "h264_nvenc"
    assert await working_encoder("libx264", tmp_path, trial=cards.drive_badly) == "libx264"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"x264-params": "keyint=5:min-keyint=5:scenecut=0"}, "began closed GOPs at pictures 0, 5, 8"),
        ({"x264-params": "keyint=8:open-gop=1:bframes=3", "forced-idr": "0"}, "began closed GOPs at pictures 0"),
    ],
)
def test_gops_of_the_encoders_own_are_refused(change: dict[str, str], reason: str) -> None:
    with pytest.raises(EncoderFailed, match=reason):
        judge(record("libx264", X264 | change))


def test_garbage_is_refused() -> None:
    good = record("libx264", X264)
    assert judge(good) == PICTURES
    with pytest.raises(EncoderFailed):
        judge(spoiled(good))
    with pytest.raises(EncoderFailed, match="cannot be decoded"):
        judge(good[: len(good) // 2])
    with pytest.raises(EncoderFailed, match="not the ones it was given"):
        judge(black(PICTURES))
    with pytest.raises(EncoderFailed, match="Of 30 pictures given to the encoder 28 could be decoded"):
        judge(black(PICTURES - 2))


def spoiled(recording: bytes) -> bytes:
    """The same file with every slice's bytes inverted behind its first dozen."""
    body = bytearray(recording)
    with av.open(io.BytesIO(recording), "r") as container:
        spans = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    for start, size in spans:
        if start is not None:
            body[start + 12 : start + size] = bytes(255 - each for each in body[start + 12 : start + size])
    return bytes(body)


def black(pictures: int) -> bytes:
    """What a driver hands back that was never given the pictures: all GOPs in place, zeros in the planes."""
    body = io.BytesIO()
    with av.open(body, "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=30, options=X264)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.thread_type = "FRAME"
        for number in range(pictures):
            frame = av.VideoFrame.from_ndarray(np.zeros((HEIGHT * 3 // 2, WIDTH), np.uint8), format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            frame.pict_type = av.video.frame.PictureType.I if number in GOPS else av.video.frame.PictureType.NONE
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return body.getvalue()


@pytest.mark.parametrize("encoder", ["libx264", "h264_nvenc", "h264_qsv", "h264_amf"])
@pytest.mark.parametrize("preset", ["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"])
def test_wrappers_know_every_option_and_its_value(encoder: str, preset: str) -> None:
    """libav refuses a value that it does not know before it looks for a card."""
    options = codec_options(encoder, SMALL, 120, preset)
    help_text = said_by_ffmpeg(f"encoder={encoder}") + said_by_ffmpeg("full")
    for name in options:
        assert f" -{name} " in help_text, name
    context = av.CodecContext.create(encoder, "w")
    assert isinstance(context, av.VideoCodecContext)
    describe(context, encoder, SMALL, Fraction(60), BT709, 120)
    context.options = options
    with contextlib.suppress(*(() if encoder == "libx264" else NO_CARD)):
        context.open()


_said: dict[str, str] = {}


def said_by_ffmpeg(topic: str) -> str:
    if topic not in _said:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-h", topic]
        _said[topic] = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return _said[topic]


def test_only_hardware_is_told_as_a_failed_encoder() -> None:
    with pytest.raises(FFmpegError), encoding("libx264"):
        raise ArgumentError(22, "Invalid argument")
    with pytest.raises(EncoderFailed, match="h264_nvenc failed"), encoding("h264_nvenc"):
        raise ArgumentError(22, "Invalid argument")
    with pytest.raises(KeyError), encoding("h264_nvenc"):
        raise KeyError


def test_who_is_to_blame() -> None:
    assert is_to_blame("h264_nvenc", EncoderFailed())
    assert is_to_blame("h264_nvenc", Transient("decoder crashed (SIGSEGV)"))
    assert not is_to_blame("h264_nvenc", Outage())
    assert not is_to_blame("h264_nvenc", Permanent("damaged"))
    assert not is_to_blame("libx264", Transient("decoder crashed (SIGSEGV)"))


def test_devices_are_those_of_this_machine(tmp_path: Path) -> None:
    assert devices("h264_nvenc", tmp_path) == devices("libx264", tmp_path) == ()
    (tmp_path / "dev" / "dri").mkdir(parents=True)
    for name in ("nvidia0", "nvidiactl", "nvidia-uvm", "dri/renderD128", "dri/card0", "null"):
        (tmp_path / "dev" / name).symlink_to("/dev/null")
    (tmp_path / "dev" / "nvidia-caps").mkdir()
    found = [path.removeprefix(f"{tmp_path}/dev/") for path in devices("h264_nvenc", tmp_path)]
    assert found[:3] == ["nvidia-uvm", "nvidia0", "nvidiactl"]
    assert "/proc/driver/nvidia" in found
    assert not any(path.startswith("/dev") for path in found)
    assert str(tmp_path / "dev/dri/renderD128") in devices("h264_qsv", tmp_path)
    assert devices("libx264", tmp_path) == ()
