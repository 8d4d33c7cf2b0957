"""Clips of the odd kinds that players record and editors write: any rhythm, shape, colour, codec and set of sound tracks.

Every picture is a numbered card (chart.py), every sound is tones and beeps (beeps.py): what came out can be compared with
what was meant, picture by picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.container import OutputContainer
from av.filter import Graph
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from corpus import beeps, chart
from corpus.beeps import Sound
from corpus.colours import BT709, GAMMA, Coding, Rgb

_PICTURES = {".webm": "libvpx-vp9", ".avi": "mpeg4"}
_SOUNDS = {".webm": "libopus", ".avi": "libmp3lame", ".mp3": "libmp3lame", ".flac": "flac"}
_FAST = {
    "libx264": {"preset": "ultrafast", "crf": "16"},
    "libx265": {"preset": "ultrafast", "crf": "14", "x265-params": "log-level=none"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "b": "2M"},
    "libsvtav1": {"preset": "8", "crf": "20"},
    "mpeg4": {"q": "3"},
    "mpeg2video": {"q": "3", "b": "4M"},
    "mjpeg": {"q": "3"},
    "ffv1": {},
}
_TICKS = Fraction(1, 90_000)


@dataclass(frozen=True, slots=True)
class Look:
    """How pictures are stored. `rotation`: degrees clockwise that a player must turn them by. `fields`: two pictures
    are woven into each frame, the earlier one in its even lines, as interlaced cameras do. `glare`: how many times the light
    of an ordinary picture an HDR one has."""

    size: tuple[int, int] = (320, 180)
    codec: str | None = None
    pixel_format: str = "yuv420p"
    coding: Coding = BT709
    rotation: int = 0
    aspect: Fraction = Fraction(1)
    fields: bool = False
    glare: float = 1.0
    gop: int = 30
    b_frames: int = 0
    options: tuple[tuple[str, str], ...] = ()

    @property
    def upright_size(self) -> tuple[int, int]:
        return self.size if self.rotation % 180 == 0 else (self.size[1], self.size[0])


Times = Sequence[Fraction]


def even(rate: Fraction | int, count: int) -> Times:
    """When each of `count` pictures is shown, at a constant rate."""
    return [Fraction(number) / rate for number in range(count)]


def mixed(*runs: tuple[int, float]) -> Times:
    """Runs of (pictures a second, seconds), as a recorder of a stuttering game writes them."""
    times, now = [], Fraction(0)
    for rate, seconds in runs:
        for _ in range(round(rate * seconds)):
            times.append(now)
            now += Fraction(1, rate)
    return times


def write(
    path: Path,
    times: Times = (),
    *,
    look: Look | None = None,
    sounds: Sequence[Sound] = (),
    rate: Fraction | int | None = None,
    clock_s: float = 0.0,
    container_options: Mapping[str, str] | None = None,
) -> Path:
    """A clip whose picture n is shown at `times[n]`. `rate` is what the file claims, where its times are not even.

    `clock_s` is what the file's own clock shows at the clip's 0. The path's ending names the container.
    """
    look = look or Look()
    # MP3's padding begins before 0; shifted by it, AVI's pictures would fall between the counts that are their only times.
    written = {"avoid_negative_ts": "disabled"} if path.suffix == ".avi" else {}
    with av.open(str(path), "w", container_options={**written, **(container_options or {})}) as output:
        video = _add_video(output, path.suffix, look, _rate(times, rate), even=rate is None) if times else None
        tracks = [(_add_audio(output, path.suffix, sound), sound) for sound in sounds]
        if video is not None:
            if look.rotation:
                video.set_display_rotation(-look.rotation)
            for frame in _frames(times, look, clock_s, Fraction(video.codec_context.time_base or _TICKS)):
                output.mux(video.encode(frame))
            output.mux(video.encode(None))
        for track, sound in tracks:
            resampler = av.AudioResampler(
                track.format.name, sound.layout, sound.rate, track.codec_context.frame_size or None
            )
            for heard in (*beeps.frames(sound, clock_s), None):
                for fitted in resampler.resample(heard):
                    output.mux(track.encode(fitted))
            output.mux(track.encode(None))
    return path


def write_changing(path: Path, looks: Sequence[Look], *, rate: int, each: int) -> Path:
    """`each` pictures of every look in one H.264 track: new parameter sets arrive inside the stream, as a recorder does
    that is told to change the size without ending the file. The container knows only the first."""
    step, number = Fraction(1, rate), 0
    with av.open(str(path), "w") as output:
        stream = _add_video(output, path.suffix, looks[0], Fraction(rate), even=True)
        for index, look in enumerate(looks):
            context = stream.codec_context if index == 0 else _standalone(look, Fraction(rate))
            shown = [Fraction(n) * step for n in range(number, number + each)]
            for frame in (*_frames(shown, look, 0.0, step, first=number), None):
                for packet in stream.encode(frame) if index == 0 else context.encode(frame):
                    packet.stream, packet.time_base = stream, step
                    output.mux(packet)
            number += each
    return path


def _add_video(output: OutputContainer, suffix: str, look: Look, rate: Fraction, *, even: bool) -> VideoStream:
    codec = look.codec or _PICTURES.get(suffix, "libx264")
    stream = output.add_stream(codec, rate=rate, options={**_FAST[codec], **dict(look.options)})
    assert isinstance(stream, VideoStream)
    _describe(stream.codec_context, look, 1 / rate if even or suffix == ".avi" else _TICKS)
    return stream


def _standalone(look: Look, rate: Fraction) -> VideoCodecContext:
    context = CodecContext.create("libx264", "w")
    assert isinstance(context, VideoCodecContext)
    context.framerate, context.options = rate, {**_FAST["libx264"], **dict(look.options)}
    _describe(context, look, 1 / rate)
    return context


def _describe(context: VideoCodecContext, look: Look, time_base: Fraction) -> None:
    context.width, context.height, context.pix_fmt = *look.size, look.pixel_format
    context.time_base, context.sample_aspect_ratio = time_base, look.aspect
    context.gop_size, context.max_b_frames = look.gop, look.b_frames
    context.colorspace, context.color_range, context.color_primaries, context.color_trc = look.coding.tags


def _add_audio(output: OutputContainer, suffix: str, sound: Sound) -> AudioStream:
    track = output.add_stream(sound.codec or _SOUNDS.get(suffix, "aac"), rate=sound.rate)
    assert isinstance(track, AudioStream)
    track.layout = sound.layout
    track.bit_rate = 128_000
    track.disposition = Disposition.default if sound.default else Disposition(0)
    for name, value in (("title", sound.title), ("language", sound.language)):
        if value:
            track.metadata[name] = value
    return track


def _rate(times: Times, claimed: Fraction | int | None) -> Fraction:
    if claimed is not None:
        return Fraction(claimed)
    return 1 / (times[1] - times[0]) if len(times) > 1 else Fraction(30)


def _frames(times: Times, look: Look, clock_s: float, base: Fraction, first: int = 0) -> Iterator[av.VideoFrame]:
    marked = _marked_interlaced(look, base) if look.fields else None
    for index, time in enumerate(times):
        frame = chart.frame(_stored(first + index, look), look.pixel_format, look.coding)
        frame.pts, frame.time_base = round((time + Fraction(clock_s)) / base), base
        if marked is not None:
            marked.vpush(frame)
            frame = marked.vpull()
        yield frame


def _stored(number: int, look: Look) -> Rgb:
    if not look.fields:
        card = chart.draw(number, *look.upright_size) * look.glare ** (1 / GAMMA)
        return np.ascontiguousarray(np.rot90(card, look.rotation // 90))
    woven = chart.draw(2 * number, *look.size)
    woven[1::2] = chart.draw(2 * number + 1, *look.size)[1::2]
    return woven


def _marked_interlaced(look: Look, base: Fraction) -> Graph:
    """libav's own way to say "top field first" of a frame; PyAV has none."""
    graph = Graph()
    width, height = look.size
    source = graph.add_buffer(width=width, height=height, format=av.VideoFormat(look.pixel_format), time_base=base)
    graph.link_nodes(source, graph.add("setfield", "mode=tff"), graph.add("buffersink")).configure()
    return graph


def with_options(look: Look, **options: str) -> Look:
    """The same look with options of its encoder."""
    return replace(look, options=(*look.options, *options.items()))
