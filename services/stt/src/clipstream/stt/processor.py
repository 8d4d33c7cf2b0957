"""Speech to text: samples in, segments out. The model is loaded once and serves one clip at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, Self

import faster_whisper
import numpy as np
import numpy.typing as npt

from clipstream.common.contracts.documents import Dropped, Segment, SpeechEngine, Word
from clipstream.common.errors import Permanent
from clipstream.stt.filters import reason_to_drop

Samples = npt.NDArray[np.float32]
SAMPLE_RATE = 16_000
MIN_SECONDS = 0.3  # a random 10 ms made the engine invent text
MIN_LEVEL = 10 ** (-70 / 20)  # RMS; digital near-silence is not worth a model's time

VAD = {"threshold": 0.5, "min_speech_duration_ms": 150, "min_silence_duration_ms": 500, "speech_pad_ms": 200}


@dataclass(frozen=True, slots=True)
class Transcription:
    """What was said on one track, and what the filter refused."""

    segments: tuple[Segment, ...]
    dropped: tuple[Dropped, ...]
    language: str | None = None
    language_probability: float | None = None


class Transcriber(Protocol):
    """An engine. `transcribe` takes float32 mono samples at 16 kHz, shape (n,), -1..1; times are seconds from sample 0."""

    engine: SpeechEngine

    def transcribe(self, samples: Samples, *, track: int, progress: Callable[[float], None]) -> Transcription: ...


class Whisper:
    """faster-whisper, sequential, int8 on the CPU. Not thread-safe: one clip at a time."""

    def __init__(
        self, model: faster_whisper.WhisperModel, engine: SpeechEngine, *, beam_size: int, language: str | None
    ) -> None:
        self._model = model
        self.engine = engine
        self._beam_size = beam_size
        self._language = language

    @classmethod
    def load(
        cls,
        source: str,
        *,
        name: str,
        kind: Literal["demo", "general"] = "general",
        threads: int = 0,
        beam_size: int = 5,
        language: str | None = None,
    ) -> Self:
        """Load a model directory or hub name. Raises `Permanent` in words where it cannot be had."""
        try:
            model = faster_whisper.WhisperModel(
                source, device="cpu", compute_type="int8", cpu_threads=threads, num_workers=1
            )
        except Exception as error:  # the hub client, CTranslate2 and tokenizers each raise their own kinds
            raise Permanent(
                f"The speech model {name} cannot be loaded ({error}): check STT_MODEL, then retry this stage."
            ) from error
        engine = SpeechEngine(name="faster-whisper", version=faster_whisper.__version__, model=name, kind=kind)
        return cls(model, engine, beam_size=beam_size, language=language)

    def transcribe(self, samples: Samples, *, track: int, progress: Callable[[float], None]) -> Transcription:
        duration_s = len(samples) / SAMPLE_RATE
        if not _worth_hearing(samples):
            return Transcription(segments=(), dropped=())
        found, info = self._model.transcribe(
            samples,
            language=self._language,
            task="transcribe",
            beam_size=self._beam_size,
            temperature=[0.0, 0.2, 0.4],
            vad_filter=True,
            vad_parameters=VAD,
            condition_on_previous_text=False,
            word_timestamps=True,
        )
        kept: list[Segment] = []
        dropped: list[Dropped] = []
        for raw in found:  # lazy: each step decodes one window
            segment = _segment(raw, len(kept), track)
            if reason := reason_to_drop(segment, duration_s):
                dropped.append(Dropped(start_s=segment.start_s, end_s=segment.end_s, text=segment.text, reason=reason))
            else:
                kept.append(segment)
            progress(min(1.0, segment.end_s / duration_s))
        return Transcription(tuple(kept), tuple(dropped), info.language, round(float(info.language_probability), 4))


def _worth_hearing(samples: Samples) -> bool:
    if len(samples) < MIN_SECONDS * SAMPLE_RATE or not np.isfinite(samples).all():
        return False
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) > MIN_LEVEL


def _segment(raw: faster_whisper.transcribe.Segment, number: int, track: int) -> Segment:
    words = tuple(
        Word(text=w.word, start_s=_round(w.start), end_s=_round(w.end), probability=_round(w.probability))
        for w in raw.words or ()
    )
    return Segment(
        id=number,
        track=track,
        start_s=words[0].start_s if words else _round(raw.start),
        end_s=words[-1].end_s if words else _round(raw.end),
        text=raw.text.strip(),
        words=words,
        mean_log_probability=_round(raw.avg_logprob),
        no_speech_probability=_round(raw.no_speech_prob),
        compression_ratio=_round(raw.compression_ratio),
    )


def _round(value: float) -> float:
    return round(float(value), 3)
