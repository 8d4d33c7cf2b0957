"""Gameplay clips as players record them: a rendered world and its sound in a real container, and copies of such files.

Deterministic by seed; two seeds look and sound different. A 30 s clip of 1280x720 at 30 fps takes a few CPU seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from corpus.gamesound import SAMPLE_RATE, Sound, render_sound
from corpus.world import World

_CODECS = {".webm": ("libvpx-vp9", "libopus"), ".avi": ("mpeg4", "libmp3lame"), ".flv": ("libx264", "aac")}
_FAST = {
    "libx264": {"preset": "ultrafast", "crf": "23"},
    "libx265": {"preset": "ultrafast", "crf": "24", "x265-params": "log-level=none"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "b": "2M"},
    "mpeg4": {"q": "5"},
}
_PQ = (9, 16, 9)  # primaries BT.2020, transfer SMPTE 2084, matrix BT.2020 non-constant
_BT709 = (1, 1, 1)


def render_clip(
    path: Path,
    *,
    seed: int,
    duration_s: float,
    width: int = 1280,
    height: int = 720,
    fps: int = 30,
    speech: Sequence[tuple[float, str]] = (),
    voice: str = "en-us",
    audio: bool = True,
    video_codec: str | None = None,
    audio_codec: str | None = None,
    pixel_format: str = "yuv420p",
    hdr: bool = False,
    gop: int = 60,
    b_frames: int = 0,
    rotation: int = 0,
    variable_frame_rate: bool = False,
    first_s: float = 0.0,
    container_options: Mapping[str, str] | None = None,
) -> Path:
    """Write the first `duration_s` seconds of the match `seed` to `path`; its suffix names the container.

    `rotation` is what a player must turn the picture by, clockwise, before showing it. `variable_frame_rate` drops
    about every third frame. `first_s` is the timestamp of the first frame. Odd sizes need a 4:4:4 `pixel_format`.
    """
    default_video, default_audio = _CODECS.get(path.suffix, ("libx264", "aac"))
    codec = video_codec or default_video
    with av.open(str(path), "w", container_options=dict(container_options or {})) as output:
        video = output.add_stream(codec, rate=fps, options=_FAST.get(codec, {}))
        assert isinstance(video, VideoStream)
        _describe(video, width, height, fps, pixel_format, hdr, gop, b_frames)
        if rotation:
            video.set_display_rotation(-rotation)
        sound = None
        if audio:
            track = output.add_stream(audio_codec or default_audio, rate=SAMPLE_RATE)
            assert isinstance(track, AudioStream)
            track.layout = "stereo"
            sound = _Sound(output, track, render_sound(seed, duration_s, speech, voice), first_s)
        for frame in _frames(seed, duration_s, video, variable_frame_rate, first_s):
            output.mux(video.encode(frame))
            if sound and frame.time is not None:
                sound.up_to(frame.time - first_s)
        output.mux(video.encode(None))
        if sound:
            sound.finish()
    return path


def render_audio(path: Path, *, seed: int, duration_s: float, speech: Sequence[tuple[float, str]] = ()) -> Path:
    """The match's sound alone, in whatever `path`'s suffix names (.m4a, .mp3, .ogg, .flac, .wav)."""
    codec = {".mp3": "libmp3lame", ".ogg": "libopus", ".flac": "flac", ".wav": "pcm_s16le"}.get(path.suffix, "aac")
    with av.open(str(path), "w") as output:
        track = output.add_stream(codec, rate=SAMPLE_RATE)
        assert isinstance(track, AudioStream)
        track.layout = "stereo"
        _Sound(output, track, render_sound(seed, duration_s, speech), 0.0).finish()
    return path


def remux(source: Path, target: Path) -> Path:
    """Copy every packet of `source` into the container that `target`'s suffix names; nothing is encoded again."""
    return _copy(source, target, float("-inf"), float("inf"))


def cut(source: Path, target: Path, *, start_s: float, end_s: float) -> Path:
    """The same for a part of it, as recorders and editors trim without encoding; `start_s` is best on a keyframe."""
    return _copy(source, target, start_s, end_s)


def _copy(source: Path, target: Path, start_s: float, end_s: float) -> Path:
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        chosen = [stream for stream in reader.streams if stream.type in ("video", "audio")]
        copies = {stream.index: writer.add_stream_from_template(stream) for stream in chosen}
        for packet in reader.demux(chosen):
            time = packet.pts if packet.pts is not None else packet.dts
            if not packet.size or (time is not None and not start_s <= time * packet.time_base < end_s):
                continue
            if start_s > 0:
                shift = round(Fraction(start_s) / packet.time_base)
                packet.pts = None if packet.pts is None else packet.pts - shift
                packet.dts = None if packet.dts is None else packet.dts - shift
            packet.stream = copies[packet.stream_index]
            writer.mux(packet)
    return target


def _describe(
    video: VideoStream, width: int, height: int, fps: int, pixel_format: str, hdr: bool, gop: int, b_frames: int
) -> None:
    context = video.codec_context
    context.width, context.height, context.pix_fmt = width, height, pixel_format
    context.time_base = Fraction(1, fps)
    context.gop_size = gop
    context.max_b_frames = b_frames
    context.color_primaries, context.color_trc, context.colorspace = _PQ if hdr else _BT709
    context.color_range = 1


def _frames(
    seed: int, duration_s: float, video: VideoStream, variable: bool, first_s: float
) -> Iterator[av.VideoFrame]:
    context = video.codec_context
    world = World(seed, max(64, context.width + context.width % 2), max(64, context.height + context.height % 2))
    fps = 1 / Fraction(context.time_base or 1)
    dropped = np.random.default_rng([seed, 3]).random(round(duration_s * fps)) < (0.33 if variable else 0.0)
    shape = VideoReformatter()
    for index in range(round(duration_s * fps)):
        if index and dropped[index]:
            continue
        frame = av.VideoFrame.from_ndarray(world.draw(index / float(fps)).buffer, format="yuv420p")
        frame = shape.reformat(frame, context.width, context.height, context.pix_fmt, threads=1)
        frame.pts = index + round(first_s * fps)
        frame.time_base = 1 / fps
        yield frame


class _Sound:
    """Feeds samples to the encoder in step with the picture, so that the file is interleaved as recorders do it."""

    def __init__(self, output: OutputContainer, track: AudioStream, samples: Sound, first_s: float) -> None:
        self._output, self._track, self._samples = output, track, samples
        self._first = round(first_s * SAMPLE_RATE)
        self._sent = 0

    def up_to(self, time_s: float) -> None:
        step = self._track.codec_context.frame_size or 1024
        while self._sent + step <= min(time_s * SAMPLE_RATE, self._samples.shape[1]):
            self._send(step)

    def finish(self) -> None:
        self.up_to(float("inf"))
        if self._sent < self._samples.shape[1]:
            self._send(self._samples.shape[1] - self._sent)
        self._output.mux(self._track.encode(None))

    def _send(self, count: int) -> None:
        chunk = np.ascontiguousarray(self._samples[:, self._sent : self._sent + count])
        frame = av.AudioFrame.from_ndarray(chunk, format="fltp", layout="stereo")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = self._first + self._sent
        frame.time_base = Fraction(1, SAMPLE_RATE)
        self._output.mux(self._track.encode(frame))
        self._sent += count
