"""Small odd media by PyAV: moving stripes and a tone, in any container, codec, size and rhythm that a test asks for."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

SAMPLE_RATE = 48_000
TICKS = 1000


def write(
    path: Path,
    *,
    size: tuple[int, int] | None = (320, 240),
    duration_s: float = 1.0,
    fps: int = 30,
    video: str = "libx264",
    pixel_format: str = "yuv420p",
    audio: str | None = "aac",
    audio_tracks: int = 1,
    times_ms: Sequence[int] | None = None,
    rotation: int = 0,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> None:
    """A clip at `path`, its container by the ending. `times_ms`: when each picture is shown, instead of an even `fps`.

    `rotation` is libav's: -90 for a phone whose picture is shown after a quarter turn clockwise."""
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        rhythm = Fraction(1, TICKS) if times_ms else Fraction(1, fps)
        encoders: list[Any] = []
        frames: list[list[Any]] = []
        if size is not None:
            picture: Any = container.add_stream(video, rate=fps, options=options or {})
            picture.width, picture.height, picture.pix_fmt = *size, pixel_format
            picture.codec_context.time_base = rhythm
            if rotation:
                picture.set_display_rotation(rotation)
            encoders.append(picture)
            shown = times_ms or range(max(1, round(duration_s * fps)))
            frames.append([_stripes(number, size, pixel_format, pts, rhythm) for number, pts in enumerate(shown)])
        for _ in range(audio_tracks if audio else 0):
            encoders.append(container.add_stream(str(audio), rate=SAMPLE_RATE, bit_rate=128_000))
        container.start_encoding()
        frames += [_tone(duration_s, sound.codec_context) for sound in encoders[len(frames) :]]
        for encoder, its in zip(encoders, frames, strict=True):
            for frame in (*its, None):
                container.mux(encoder.encode(frame))


def _stripes(number: int, size: tuple[int, int], pixel_format: str, pts: int, time_base: Fraction) -> av.VideoFrame:
    rgb = np.empty((size[1], size[0], 3), np.uint8)
    rgb[..., 0], rgb[..., 1], rgb[..., 2] = (np.arange(size[0]) * 4 + number * 6) % 256, 128, (number * 9) % 256
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pixel_format)
    frame.pts, frame.time_base = pts, time_base
    return frame


def _tone(duration_s: float, encoder: Any) -> list[av.AudioFrame]:
    """A 440 Hz tone in the encoder's own sample format and frame size."""
    samples = (np.sin(np.arange(round(duration_s * SAMPLE_RATE)) * 440 * 2 * np.pi / SAMPLE_RATE) * 9000).astype(
        np.int16
    )
    whole = av.AudioFrame.from_ndarray(np.repeat(samples, 2)[None, :], format="s16", layout="stereo")
    whole.sample_rate, whole.pts, whole.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
    resampler = av.AudioResampler(encoder.format, encoder.layout, encoder.sample_rate, encoder.frame_size or None)
    return [*resampler.resample(whole), *resampler.resample(None)]
