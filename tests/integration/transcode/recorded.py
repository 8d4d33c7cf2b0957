"""Clips with sound tracks of their own, as recorders write them, and where in a sound a click is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream

Sound = npt.NDArray[np.float32]
RATE = 48_000
_CODECS = {".mkv": "flac", ".flac": "flac"}


@dataclass(frozen=True)
class Recorded:
    """One track to be written: samples [channels, n] at `rate`, the first of them at `start_s`."""

    samples: Sound
    rate: int = RATE
    layout: str = "stereo"
    start_s: float = 0.0
    title: str | None = None
    codec: str | None = None
    bit_rate: int = 160_000
    holes: tuple[tuple[float, float], ...] = ()


def record(path: Path, *tracks: Recorded, picture_s: float = 2.0, busy: bool = False) -> Path:
    """A clip of grey pictures at 30 a second, or of `busy` ones with a quarter of a megabyte each, and the tracks. Packets
    are interleaved by the muxer."""
    random = np.random.default_rng(3)
    with av.open(str(path), "w") as output:
        if picture_s:
            picture = output.add_stream("libx264", rate=30, options={"preset": "ultrafast", "qp": "8"})
            picture.width, picture.height, picture.pix_fmt = 480, 270, "yuv420p"
        streams: list[AudioStream] = []
        for track in tracks:
            stream = output.add_stream(track.codec or _CODECS.get(path.suffix, "aac"), rate=track.rate)
            assert isinstance(stream, AudioStream)
            stream.layout, stream.bit_rate = track.layout, track.bit_rate
            if track.title:
                stream.metadata["title"] = track.title
            streams.append(stream)
        for number in range(round(picture_s * 30)):
            planes = random.integers(0, 255, (405, 480)) if busy else np.full((405, 480), 90 + number % 9)
            shown = av.VideoFrame.from_ndarray(planes.astype(np.uint8), format="yuv420p")
            shown.pts, shown.time_base = number, Fraction(1, 30)
            output.mux(picture.encode(shown))
        for track, stream in zip(tracks, streams, strict=True):
            for frame in _frames(track, stream.codec_context.frame_size or 1024):
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        if picture_s:
            output.mux(picture.encode(None))
    return path


def _frames(track: Recorded, size: int) -> Iterator[av.AudioFrame]:
    for at in range(0, track.samples.shape[1], size):
        time_s = track.start_s + at / track.rate
        if any(since <= time_s < until for since, until in track.holes):
            continue
        piece = np.ascontiguousarray(track.samples[:, at : at + size])
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=track.layout)
        frame.sample_rate, frame.time_base = track.rate, Fraction(1, track.rate)
        frame.pts = round(time_s * track.rate)
        yield frame


def clicks(*at_s: float, length_s: float, rate: int = RATE, channels: int = 2) -> Sound:
    """Short bursts on a quiet hiss: found again to the sample behind any codec."""
    line = np.random.default_rng(7).standard_normal(round(length_s * rate), np.float32) * 0.003
    for at in at_s:
        burst = np.sin(np.arange(rate // 250) * 2 * np.pi * 3000 / rate) * np.hanning(rate // 250)
        line[round(at * rate) :][: len(burst)] += 0.8 * burst.astype(np.float32)[: len(line) - round(at * rate)]
    return np.tile(line.astype(np.float32), (channels, 1))


def tone(hertz: float, length_s: float, level: float = 0.2) -> Sound:
    time = np.arange(round(length_s * RATE)) / RATE
    return np.tile((level * np.sin(2 * np.pi * hertz * time)).astype(np.float32), (2, 1))


def found(samples: Sound, near_s: float) -> float:
    """When the burst near a time is heard: where it matches best."""
    burst = np.sin(np.arange(RATE // 250) * 2 * np.pi * 3000 / RATE) * np.hanning(RATE // 250)
    since = max(0, round((near_s - 0.15) * RATE))
    return (since + int(np.correlate(samples[0, since : since + round(0.3 * RATE)], burst).argmax())) / RATE


def planar(frame: av.AudioFrame) -> Sound:
    frame.pts = None
    (converted,) = av.AudioResampler("fltp", "stereo", RATE).resample(frame)
    return np.asarray(converted.to_ndarray(), np.float32)


def level(samples: Sound, hertz: float) -> float:
    """How much of a tone a track holds, by its amplitude."""
    time = np.arange(samples.shape[1]) / RATE
    return float(2 * np.abs(np.mean(samples[0] * np.exp(-2j * np.pi * hertz * time))))
