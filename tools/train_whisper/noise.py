"""Synthetic game noise: gun bursts, explosions, engines, chiptune music, drums, steps, blips and plain noise."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from corpus.speech import SAMPLE_RATE

Track = npt.NDArray[np.float32]
Source = Callable[[np.random.Generator, int], npt.NDArray[np.float64]]

TRACK_S = 14.0


def _decaying_hits(
    rng: np.random.Generator, length: int, times_s: npt.NDArray[np.float64], decay_s: float, low_pass: float
) -> npt.NDArray[np.float64]:
    """Bursts of low-passed noise at `times_s` that die away with `decay_s`."""
    out = np.zeros(length)
    size = int(min(decay_s * 6, 3.0) * SAMPLE_RATE)
    envelope = np.exp(-np.arange(size) / (decay_s * SAMPLE_RATE))
    for at_s in times_s:
        start = int(at_s * SAMPLE_RATE)
        hit = lfilter([1 - low_pass], [1, -low_pass], rng.standard_normal(size)) * envelope
        end = min(start + size, length)
        if start < end:
            out[start:end] += hit[: end - start] * rng.uniform(0.5, 1.0)
    return out


def _gun(rng: np.random.Generator, length: int) -> npt.NDArray[np.float64]:
    duration_s = length / SAMPLE_RATE
    bursts = rng.uniform(0, duration_s, rng.integers(2, 8))
    shots = [start + np.arange(rng.integers(1, 12)) * rng.uniform(0.07, 0.2) for start in bursts]
    return _decaying_hits(rng, length, np.concatenate(shots), rng.uniform(0.015, 0.06), rng.uniform(0.2, 0.8))


def _explosions(rng: np.random.Generator, length: int) -> npt.NDArray[np.float64]:
    times = rng.uniform(0, length / SAMPLE_RATE, rng.integers(1, 5))
    return _decaying_hits(rng, length, times, rng.uniform(0.2, 0.7), rng.uniform(0.9, 0.98)) * 4


def _steps(rng: np.random.Generator, length: int) -> npt.NDArray[np.float64]:
    times = np.arange(0.1, length / SAMPLE_RATE, rng.uniform(0.28, 0.6))
    return _decaying_hits(rng, length, times, rng.uniform(0.02, 0.05), rng.uniform(0.6, 0.95))


def _drums(rng: np.random.Generator, length: int) -> npt.NDArray[np.float64]:
    beat_s = 60 / rng.uniform(80, 170)
    beats = np.arange(0, length / SAMPLE_RATE, beat_s)
    kick = _decaying_hits(rng, length, beats, 0.07, 0.97) * 6
    hat = _decaying_hits(rng, length, beats + beat_s / 2, 0.02, 0.05) * 0.5
    return kick + hat + _decaying_hits(rng, length, beats[1::2], 0.06, 0.4)


def _engine(rng: np.random.Generator, length: int) -> npt.NDArray[np.float64]:
    at_s = np.arange(length) / SAMPLE_RATE
    pitch = rng.uniform(35, 120) * (1 + 0.3 * np.sin(2 * np.pi * rng.uniform(0.05, 0.4) * at_s + rng.uniform(0, 6)))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    tone = sum(np.sin(k * phase + rng.uniform(0, 6)) / k for k in range(1, 12))
    return np.asarray(tone + 0.2 * lfilter([0.1], [1, -0.9], rng.standard_normal(length)))


def _chiptune(rng: np.random.Generator, length: int) -> npt.NDArray[np.float64]:
    step = int(SAMPLE_RATE * 60 / rng.uniform(90, 180) / 2)
    scale = np.array([0, 2, 4, 7, 9, 12, 14, 16])
    notes = rng.uniform(110, 330) * 2 ** (rng.choice(scale, length // step + 1) / 12)
    phase = np.cumsum(np.repeat(notes, step)[:length]) / SAMPLE_RATE
    lead = np.where((phase % 1) < rng.uniform(0.15, 0.5), 1.0, -1.0)
    bass = np.abs(((phase / 4) % 1) * 4 - 2) - 1
    fade = np.tile(np.linspace(1, 0.2, step), len(notes))[:length]
    return np.asarray(lead * fade + bass)


def _blips(rng: np.random.Generator, length: int) -> npt.NDArray[np.float64]:
    out = np.zeros(length)
    for start in rng.integers(0, length, rng.integers(4, 20)):
        size = min(int(rng.uniform(0.05, 0.25) * SAMPLE_RATE), length - int(start))
        sweep = np.linspace(rng.uniform(300, 2500), rng.uniform(300, 2500), max(size, 1))[:size]
        out[start : start + size] += np.sin(2 * np.pi * np.cumsum(sweep) / SAMPLE_RATE) * np.linspace(1, 0, size)
    return out


def _pink(rng: np.random.Generator, length: int) -> npt.NDArray[np.float64]:
    return np.asarray(lfilter([0.05], [1, -rng.uniform(0.9, 0.99)], rng.standard_normal(length)))


def _white(rng: np.random.Generator, length: int) -> npt.NDArray[np.float64]:
    return rng.standard_normal(length)


SOURCES: tuple[Source, ...] = (_gun, _explosions, _engine, _chiptune, _drums, _steps, _blips, _pink, _white)


def game_noise(seed: int, duration_s: float = TRACK_S) -> Track:
    """A track of one to three of the sources at unit RMS; the same seed gives the same noise."""
    rng = np.random.default_rng(seed)
    length = int(duration_s * SAMPLE_RATE)
    total = np.zeros(length)
    for index in rng.choice(len(SOURCES), rng.integers(1, 4), replace=False):
        sound = SOURCES[index](rng, length)
        total += sound / (np.sqrt(np.mean(sound**2)) + 1e-9) * rng.uniform(0.4, 1.0)
    return np.asarray(total / (np.sqrt(np.mean(total**2)) + 1e-9), dtype=np.float32)
