"""The picture of a recording without pictures: its loudness over time. Decodes sound, so it runs in a caged child."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import av
import numpy as np
import numpy.typing as npt
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from clipstream.common.media.decode import Decoder

WIDTH, HEIGHT = 640, 360
COLUMNS = WIDTH // 4
RATE = 8000
WHOLE_S = 60.0
"""Recordings up to this long are read whole; of longer ones a little of every column is."""

_LOOKED_AT_S = 0.15
_BACKGROUND, _BAR = (24, 27, 38), (94, 196, 255)

Picture = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.float32]


def draw(levels: Sequence[float]) -> Picture:
    """An RGB picture [HEIGHT, WIDTH, 3]; `levels` are loudnesses >= 0 at equal distances, the loudest fills the height."""
    columns = np.zeros(COLUMNS)
    for column, part in enumerate(np.array_split(np.asarray(levels or [0.0], np.float64), COLUMNS)):
        columns[column] = part.max() if len(part) else columns[max(0, column - 1)]
    picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    picture[:] = _BACKGROUND
    for column, level in enumerate(columns / max(1e-3, float(columns.max()))):
        half = max(1, round(float(level) * HEIGHT * 0.4))
        picture[HEIGHT // 2 - half : HEIGHT // 2 + half, column * 4 : column * 4 + 3] = _BAR
    return picture


def levels(container: InputContainer, stream: AudioStream, duration_s: float) -> list[float]:
    """The loudest sample, 0..1, of each of `COLUMNS` stretches of the recording; empty where nothing can be decoded."""
    decoder = Decoder(container, [stream])
    if duration_s <= WHOLE_S:
        heard = [*_samples(decoder)]
        parts = np.array_split(np.concatenate(heard), COLUMNS) if heard else []
        return [float(np.abs(part).max()) for part in parts if len(part)]
    first_s = float((stream.start_time or 0) * (stream.time_base or 0))
    glances = [_glance(container, decoder, first_s + duration_s * column / COLUMNS) for column in range(COLUMNS)]
    return [level or 0.0 for level in glances] if any(level is not None for level in glances) else []


def _glance(container: InputContainer, decoder: Decoder, time_s: float) -> float | None:
    """The loudest sample soon after `time_s`; None where none can be decoded."""
    try:
        container.seek(round(time_s * av.time_base))
    except av.FFmpegError:
        return None
    heard: list[Samples] = []
    for samples in _samples(decoder):
        heard.append(samples)
        if sum(map(len, heard)) >= _LOOKED_AT_S * RATE:
            break
    return float(np.abs(np.concatenate(heard)).max()) if heard else None


def _samples(decoder: Decoder) -> Iterator[Samples]:
    """Mono float samples [n] from where the container stands, as far as they can be decoded."""
    resampler: AudioResampler | None = None
    known: tuple[object, ...] = ()
    for frame in decoder:
        if not isinstance(frame, av.AudioFrame):
            continue
        form = frame.format.name, frame.layout.name, frame.sample_rate
        if resampler is None or form != known:
            resampler, known = AudioResampler("flt", "mono", RATE), form
        frame.pts = None
        for resampled in resampler.resample(frame):
            yield np.nan_to_num(np.asarray(resampled.to_ndarray(), np.float32)[0])
