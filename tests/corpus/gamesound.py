"""The sound of that game: ambience and a drone in the seed's key, footsteps, and a shot wherever the picture flashes.

Speech is mixed in on demand; the game is ducked below it, as voice chat does. Knows nothing of codecs or files.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from corpus.world import shot_times

SAMPLE_RATE = 48_000
"""Hz of everything rendered here."""

GAME_RMS = 0.03
DUCKED = 0.3
"""What is left of the game's level while somebody speaks."""

SPEECH_GAIN = 2.0

Sound = npt.NDArray[np.float32]


def render_sound(seed: int, duration_s: float, speech: Sequence[tuple[float, str]] = (), voice: str = "en-us") -> Sound:
    """Stereo samples [2, n] in -1..1: the game of `seed`, with each text of `speech` spoken from its second on."""
    count = round(duration_s * SAMPLE_RATE)
    sound = _game(seed, duration_s, count)
    if speech:
        from corpus.speech import synthesize  # espeak-ng is loaded only where somebody speaks

        for start_s, text in speech:
            spoken = synthesize(text, voice)
            _mix(sound, _resampled(spoken.samples, spoken.sample_rate), round(start_s * SAMPLE_RATE))
    return np.clip(sound, -1.0, 1.0)


def _game(seed: int, duration_s: float, count: int) -> Sound:
    random = np.random.default_rng([seed, 2])
    time = np.arange(count, dtype=np.float32) / SAMPLE_RATE
    key = float(random.uniform(55, 110))
    drone = sum(np.sin(2 * np.pi * key * ratio * time) / ratio for ratio in (1.0, 1.5, 2.01))
    hiss = random.standard_normal(count, dtype=np.float32)
    rumble = np.convolve(hiss, np.ones(64, np.float32) / 64, mode="same")
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * random.uniform(0.05, 0.2) * time)
    mono: Sound = (0.25 * drone * swell + 2.5 * rumble).astype(np.float32)
    for at_s in shot_times(seed, duration_s):
        _add(mono, _burst(random, 0.25, 0.05, 6.0), at_s)
    for at_s in np.arange(0.3, duration_s, float(random.uniform(0.35, 0.5))):
        _add(mono, _burst(random, 0.08, 0.012, 1.2), float(at_s))
    pan = 0.5 + 0.15 * np.sin(2 * np.pi * 0.11 * time)
    stereo = np.stack([mono * pan, mono * (1 - pan)])
    level = float(np.sqrt(np.mean(np.square(stereo)))) if count else 1.0
    game: Sound = (stereo * (GAME_RMS / max(level, 1e-9))).astype(np.float32)
    return game


def _burst(random: np.random.Generator, length_s: float, decay_s: float, gain: float) -> Sound:
    count = int(length_s * SAMPLE_RATE)
    fade = np.exp(-np.arange(count, dtype=np.float32) / (decay_s * SAMPLE_RATE))
    burst: Sound = (gain * fade * random.standard_normal(count, dtype=np.float32)).astype(np.float32)
    return burst


def _add(mono: Sound, burst: Sound, at_s: float) -> None:
    start = int(at_s * SAMPLE_RATE)
    room = mono[start : start + len(burst)]
    room += burst[: len(room)]


def _resampled(samples: Sound, rate: int) -> Sound:
    count = len(samples) * SAMPLE_RATE // rate
    places = np.arange(count) * (rate / SAMPLE_RATE)
    resampled: Sound = np.interp(places, np.arange(len(samples)), samples).astype(np.float32)
    return resampled


def _mix(sound: Sound, speech: Sound, start: int) -> None:
    room = sound[:, start : start + len(speech)]
    room *= DUCKED
    room += SPEECH_GAIN * speech[: room.shape[1]]
