"""Sound that says what it is and when: a steady tone for every channel, and short loud beeps at exact times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

TONE_LEVEL, BEEP_LEVEL = 0.08, 0.7
BEEP_HZ, BEEP_S = 3000.0, 0.03


@dataclass(frozen=True, slots=True)
class Sound:
    """One sound track. `tones_hz`: one for each channel, or one for all, or (`chord`) all of them in all channels.

    Times are on the clip's clock: the first sample is at `start_s`, the one behind the last at `end_s`; the samples between
    the two times of a `pause_s` are missing from the file."""

    end_s: float
    start_s: float = 0.0
    tones_hz: tuple[float, ...] = (440.0,)
    chord: bool = False
    beeps_s: tuple[float, ...] = ()
    layout: str = "stereo"
    rate: int = 48_000
    codec: str | None = None
    title: str = ""
    language: str = ""
    default: bool = False
    pause_s: tuple[float, float] = (0.0, 0.0)

    def samples(self) -> Samples:
        """float32 [channels, n]."""
        channels = len(av.AudioLayout(self.layout).channels)
        times = self.start_s + np.arange(round((self.end_s - self.start_s) * self.rate)) / self.rate
        tones = [TONE_LEVEL * np.sin(2 * np.pi * hz * times) for hz in self.tones_hz]
        if self.chord:
            tones = [np.sum(tones, axis=0)]
        beeps = np.zeros(len(times))
        for at_s in self.beeps_s:
            sounding = (times >= at_s - 1e-9) & (times < at_s + BEEP_S)
            beeps[sounding] = BEEP_LEVEL * np.sin(2 * np.pi * BEEP_HZ * (times[sounding] - at_s))
        return np.stack([tones[index % len(tones)] + beeps for index in range(channels)]).astype(np.float32)


def frames(sound: Sound, clock_s: float) -> Iterator[av.AudioFrame]:
    """The track as planar float frames, `clock_s` what the file's clock shows at the clip's 0."""
    samples, step = sound.samples(), 1024
    first = round((sound.start_s + clock_s) * sound.rate)
    for place in range(0, samples.shape[1], step):
        if sound.pause_s[0] <= sound.start_s + place / sound.rate < sound.pause_s[1]:
            continue
        chunk = np.ascontiguousarray(samples[:, place : place + step])
        frame = av.AudioFrame.from_ndarray(chunk, format="fltp", layout=sound.layout)
        frame.sample_rate, frame.pts, frame.time_base = sound.rate, first + place, Fraction(1, sound.rate)
        yield frame


def beeps(samples: Samples, rate: int = 48_000) -> list[float]:
    """When each beep begins in sound [channels, n], in seconds."""
    loud = np.abs(samples).max(axis=0)
    places = np.flatnonzero(loud > 0.5 * max(0.2, float(loud.max())))
    starts = [int(place) for at, place in enumerate(places) if at == 0 or place - places[at - 1] > BEEP_S * rate]
    return [start / rate for start in starts]


def level(samples: Samples, hz: float, rate: int = 48_000) -> list[float]:
    """The amplitude of a tone in every channel of sound [channels, n]."""
    window = np.hanning(samples.shape[1])
    wave = np.exp(-2j * np.pi * hz * np.arange(samples.shape[1]) / rate) * window
    return [float(2 * abs(np.dot(channel, wave)) / window.sum()) for channel in samples]


def decibels(levels: Sequence[float], reference: float = TONE_LEVEL) -> float:
    """The loudest of `levels` against `reference`."""
    return float(20 * np.log10(max(*levels, 1e-6) / reference))
