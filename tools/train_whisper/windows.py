"""Training windows: phrases placed on a timeline above game noise, with everything the losses want to know."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from corpus.speech import SAMPLE_RATE, SPEECH_RMS
from train_whisper.features import FRAMES_PER_S, FULL_WINDOW_S, log_mel
from train_whisper.speech_corpus import SpeechCorpus
from train_whisper.vocabulary import TIMESTAMP_STEP_S, Vocabulary, vocabulary

IGNORE = -100
_FRAME_SAMPLES = round(SAMPLE_RATE * TIMESTAMP_STEP_S)
_MAX_FIRST_START_S = 1.0
"""faster-whisper never lets a window start later than this (`max_initial_timestamp`)."""


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """What the windows of one batch have in common."""

    length_s: int
    full: bool
    """Pad features to 30 s, as at inference."""
    noisy_share: float
    """Share of the windows at 5-20 dB; the others are at 20-40 dB."""
    speech_share: float = 0.92
    timestamp_share: float = 0.6


@dataclass(slots=True)
class Window:
    """One window: sound, labels per 20 ms frame, and the token sequence with its targets."""

    audio: npt.NDArray[np.float32]
    valid_s: float
    frame_words: npt.NDArray[np.int64]
    frame_phones: npt.NDArray[np.int64]
    inputs: list[int] = field(default_factory=list)
    text_targets: list[int] = field(default_factory=list)
    time_targets: list[int] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    """First and one-past-last frame of the word predicted at this place, (0, 0) where none is."""

    def predict(self, *, after: int, text: int = IGNORE, time: int = IGNORE, span: tuple[int, int] = (0, 0)) -> None:
        """Append one step: with `after` as input, the model should say `text` or the timestamp index `time`."""
        self.inputs.append(after)
        self.text_targets.append(text)
        self.time_targets.append(time)
        self.spans.append(span)


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows stacked into tensors."""

    features: Tensor
    inputs: Tensor
    text_targets: Tensor
    time_targets: Tensor
    spans: Tensor
    frame_words: Tensor
    frame_phones: Tensor


@dataclass(frozen=True, slots=True)
class _Phrase:
    start_s: float
    end_s: float
    words: tuple[tuple[int, int, int], ...]
    """(class, first frame, one past last frame)"""
    cut: bool
    """The window ends before the phrase does."""


class WindowMaker:
    """Draws windows from a corpus and a bank of noise."""

    def __init__(self, corpus: SpeechCorpus, noise: list[npt.NDArray[np.float32]], seed: int) -> None:
        self._corpus = corpus
        self._noise = noise
        self._rng = np.random.default_rng(seed)
        self._vocabulary: Vocabulary = vocabulary()

    def batch(self, plan: WindowPlan, count: int) -> Batch:
        """`count` windows of one plan."""
        windows = [self._window(plan) for _ in range(count)]
        longest = max(len(window.inputs) for window in windows)
        end = self._vocabulary.end

        def padded(rows: list[list[int]], fill: int) -> Tensor:
            return torch.tensor([row + [fill] * (longest - len(row)) for row in rows])

        audio = torch.from_numpy(np.stack([window.audio for window in windows]))
        valid_s = torch.tensor([window.valid_s for window in windows])
        louder = torch.from_numpy(self._rng.uniform(0, 1, count) * (self._rng.random(count) < 1 / 3)).float()
        frames = (FULL_WINDOW_S if plan.full else plan.length_s) * FRAMES_PER_S
        return Batch(
            log_mel(audio, valid_s, louder, frames),
            padded([window.inputs for window in windows], end),
            padded([window.text_targets for window in windows], IGNORE),
            padded([window.time_targets for window in windows], IGNORE),
            torch.tensor([window.spans + [(0, 0)] * (longest - len(window.spans)) for window in windows]),
            torch.from_numpy(np.stack([window.frame_words for window in windows])),
            torch.from_numpy(np.stack([window.frame_phones for window in windows])),
        )

    def _window(self, plan: WindowPlan) -> Window:
        rng = self._rng
        valid_s = plan.length_s * (1.0 if rng.random() < 0.4 else rng.uniform(0.5, 1.0))
        valid_s = round(valid_s * FRAMES_PER_S) / FRAMES_PER_S
        frames = plan.length_s * FRAMES_PER_S // 2
        window = Window(
            np.zeros(plan.length_s * SAMPLE_RATE, np.float32),
            valid_s,
            np.full(frames, len(self._vocabulary.words), np.int64),
            np.full(frames, len(self._corpus.phone_names), np.int64),
        )
        phrases = self._place_phrases(window, plan) if rng.random() < plan.speech_share else []
        self._add_noise(window, plan)
        if phrases:
            self._write_speech(window, phrases, with_times=phrases[-1].cut or rng.random() < plan.timestamp_share)
        else:
            self._write_silence(window, with_times=rng.random() < plan.timestamp_share)
        return window

    def _phrase_count(self, length_s: int) -> int:
        low, high = (1, 3) if length_s <= 4 else (1, 9) if length_s < 15 else (2, 15)
        return int(self._rng.integers(low, high))

    def _place_phrases(self, window: Window, plan: WindowPlan) -> list[_Phrase]:
        rng = self._rng
        at_s = rng.uniform(0, 0.5) if rng.random() < 2 / 3 else rng.uniform(0, min(2.0, window.valid_s / 3))
        phrases: list[_Phrase] = []
        tight = rng.random() < 0.5
        may_cut = plan.length_s >= 12 and rng.random() < 0.3
        for _ in range(self._phrase_count(plan.length_s)):
            index = int(rng.integers(len(self._corpus)))
            samples = self._corpus.samples(index) * np.float32(rng.uniform(0.6, 1.5))
            end_s = at_s + len(samples) / SAMPLE_RATE
            cut = end_s > window.valid_s
            if cut and not (may_cut and phrases and at_s < window.valid_s - 0.2):
                break
            first = int(at_s * SAMPLE_RATE)
            last = min(first + len(samples), int(window.valid_s * SAMPLE_RATE))
            window.audio[first:last] += samples[: last - first]
            phrases.append(self._label(window, index, first, at_s, min(end_s, window.valid_s), cut=cut))
            at_s = end_s + (rng.uniform(0.15, 0.6) if tight else rng.uniform(0.3, 2.0))
        return phrases

    def _label(self, window: Window, index: int, first: int, start_s: float, end_s: float, *, cut: bool) -> _Phrase:
        def frame(sample: int) -> int:
            return min(round((first + sample) / _FRAME_SAMPLES), len(window.frame_words))

        words = []
        for word, start, end in self._corpus.words_of(index).tolist():
            span = (frame(start), max(frame(end), frame(start) + 1))
            window.frame_words[span[0] : span[1]] = word
            words.append((word, *span))
        for phone, start, end in self._corpus.phones_of(index).tolist():
            window.frame_phones[frame(start) : frame(end)] = phone
        return _Phrase(start_s, end_s, tuple(words), cut)

    def _add_noise(self, window: Window, plan: WindowPlan) -> None:
        rng = self._rng
        length = int(window.valid_s * SAMPLE_RATE)
        if rng.random() < 0.9:
            track = self._noise[int(rng.integers(len(self._noise)))]
            start = int(rng.integers(len(track)))
            noise = np.resize(np.roll(track, -start), length)
            snr_db = rng.uniform(5, 20) if rng.random() < plan.noisy_share else rng.uniform(20, 40)
        else:
            noise, snr_db = rng.standard_normal(length).astype(np.float32), rng.uniform(35, 60)
        window.audio[:length] += noise * np.float32(SPEECH_RMS / 10 ** (snr_db / 20))
        window.audio *= np.float32(10 ** (rng.uniform(-18, 14) / 20))
        np.clip(window.audio, -1.0, 1.0, out=window.audio)

    def _write_speech(self, window: Window, phrases: list[_Phrase], *, with_times: bool) -> None:
        vocabulary = self._vocabulary
        last = vocabulary.start
        if not with_times:
            # the sot position is trained by the windows with timestamps: at inference this token is given, not chosen
            window.predict(after=last)
            last = vocabulary.no_timestamps
        for phrase in phrases:
            if with_times:
                start_s = phrase.start_s if window.inputs else min(phrase.start_s, _MAX_FIRST_START_S)
                last = self._write_time(window, last, start_s)
            if phrase.cut:
                break
            for word, *span in phrase.words:
                token = vocabulary.words[word]
                window.predict(after=last, text=token, span=(span[0], span[1]))
                last = token
            if with_times:
                last = self._write_time(window, last, phrase.end_s)
        window.predict(after=last, text=vocabulary.end)

    def _write_time(self, window: Window, after: int, at_s: float) -> int:
        token = self._vocabulary.timestamp(at_s)
        window.predict(after=after, time=token - self._vocabulary.first_timestamp)
        return token

    def _write_silence(self, window: Window, *, with_times: bool) -> None:
        vocabulary = self._vocabulary
        forced = vocabulary.timestamp(self._rng.uniform(0, _MAX_FIRST_START_S))
        window.predict(after=vocabulary.start, text=vocabulary.no_speech)
        window.predict(after=forced if with_times else vocabulary.no_timestamps, text=vocabulary.end)
