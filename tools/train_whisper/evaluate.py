"""Word error rate and timing of the exported model, through faster-whisper as the stt service uses it.

    HF_HUB_OFFLINE=1 python -m train_whisper.evaluate models/demo-whisper-tts-227w

Phrases and noise are ones training never drew. A clip's segment times are compared only where its text is right.
"""

import argparse
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jiwer
import numpy as np
import numpy.typing as npt
from faster_whisper import WhisperModel
from faster_whisper.transcribe import Segment

from corpus.speech import DEMO_VOICES, HELD_OUT_VOICES, SAMPLE_RATE, SEEN_VOICES, SPEECH_RMS, Voice, synthesize
from train_whisper import grammar
from train_whisper.noise import game_noise
from train_whisper.speech_corpus import aac_round_trip

NOISE_SEED = 50_000
VAD = {"threshold": 0.5, "min_speech_duration_ms": 150, "min_silence_duration_ms": 500, "speech_pad_ms": 200}
TOLERANCE_S = 0.5


@dataclass(frozen=True, slots=True)
class SpokenPhrase:
    """A phrase and when it is said."""

    text: str
    start_s: float
    end_s: float
    word_starts_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Clip:
    """Sound and what is said in it."""

    audio: npt.NDArray[np.float32]
    phrases: tuple[SpokenPhrase, ...]

    @property
    def text(self) -> str:
        """Everything said, in order."""
        return " ".join(phrase.text for phrase in self.phrases)


@dataclass(frozen=True, slots=True)
class ClipKind:
    """What the clips of one row of the table are made of."""

    name: str
    voices: Sequence[Voice]
    phrases: tuple[int, int]
    snr_db: tuple[float, float] = (5, 20)
    codec: bool = False


KINDS = (
    ClipKind("1 phrase, demo voices", DEMO_VOICES, (1, 1)),
    ClipKind("2-3 phrases, demo voices", DEMO_VOICES, (2, 3)),
    ClipKind("1 phrase, seen voices", SEEN_VOICES, (1, 1)),
    ClipKind("2-3 phrases, seen voices", SEEN_VOICES, (2, 3)),
    ClipKind("2-3 phrases, seen voices, AAC", SEEN_VOICES, (2, 3), codec=True),
    ClipKind("2-3 phrases, seen voices, 20-40 dB", SEEN_VOICES, (2, 3), snr_db=(20, 40)),
    ClipKind("4-5 phrases, seen voices", SEEN_VOICES, (4, 5)),
    ClipKind("8-10 phrases, seen voices", SEEN_VOICES, (8, 10)),
    ClipKind("1 phrase, held-out variants", HELD_OUT_VOICES, (1, 1)),
    ClipKind("2-3 phrases, held-out variants", HELD_OUT_VOICES, (2, 3)),
)


def make_clip(kind: ClipKind, seed: int) -> Clip:
    """A clip of one speaker with game noise below, 0.3-3 s of it before, between and after the phrases."""
    rng = random.Random(seed)
    voice = rng.choice(kind.voices)
    parts: list[npt.NDArray[np.float32]] = []
    phrases: list[SpokenPhrase] = []
    at = 0

    def silence(shortest_s: float, longest_s: float) -> None:
        nonlocal at
        parts.append(np.zeros(int(rng.uniform(shortest_s, longest_s) * SAMPLE_RATE), np.float32))
        at += len(parts[-1])

    silence(0.3, 2.0)
    for _ in range(rng.randint(*kind.phrases)):
        text = grammar.draw_phrase(rng, held_out_only=True)
        spoken = synthesize(text, voice, rate=rng.randint(140, 200), pitch=rng.randint(35, 65))
        start_s = at / SAMPLE_RATE
        starts = tuple(start_s + start for _, start, _ in spoken.words)
        phrases.append(SpokenPhrase(text, start_s, start_s + spoken.duration_s, starts))
        parts.append(spoken.samples)
        at += len(spoken.samples)
        silence(0.6, 3.0)
    audio = np.concatenate(parts)
    level = SPEECH_RMS / 10 ** (rng.uniform(*kind.snr_db) / 20)
    noise = np.resize(game_noise(NOISE_SEED + seed), len(audio)) * level
    audio = np.clip(audio + noise, -1, 1).astype(np.float32)
    return Clip(aac_round_trip(audio) if kind.codec else audio, tuple(phrases))


def transcribe(model: WhisperModel, audio: npt.NDArray[np.float32], *, vad: bool, beam: int = 5) -> list[Segment]:
    """Transcribe with the options of the stt service."""
    segments, _ = model.transcribe(
        audio,
        language="en",
        beam_size=beam,
        temperature=[0.0, 0.2, 0.4],
        condition_on_previous_text=False,
        word_timestamps=True,
        vad_filter=vad,
        vad_parameters=VAD if vad else None,
    )
    return list(segments)


@dataclass(slots=True)
class Score:
    """Counts over the clips of a row."""

    errors: int = 0
    words: int = 0
    segment_off_s: list[float] | None = None
    word_off_s: list[float] | None = None

    def add(self, clip: Clip, segments: list[Segment]) -> None:
        """Count one clip."""
        heard = " ".join(segment.text.strip() for segment in segments)
        alignment = jiwer.process_words(clip.text, heard)
        self.errors += alignment.substitutions + alignment.deletions + alignment.insertions
        self.words += len(clip.text.split())
        segment_off, word_off = self.segment_off_s or [], self.word_off_s or []
        for phrase in clip.phrases:
            same = [segment for segment in segments if segment.text.strip() == phrase.text]
            if not same:
                continue
            nearest = min(same, key=lambda segment: abs(segment.start - phrase.start_s))
            segment_off.append(abs(nearest.start - phrase.start_s))
            times = zip(nearest.words or [], phrase.word_starts_s, strict=False)
            word_off += [abs(word.start - start) for word, start in times]
        self.segment_off_s, self.word_off_s = segment_off, word_off

    @property
    def row(self) -> str:
        """WER, then share within half a second and median of segment and word starts."""
        return f"{self.errors / max(self.words, 1):.1%} | {_spread(self.segment_off_s)} | {_spread(self.word_off_s)}"


def _spread(off_s: list[float] | None) -> str:
    if not off_s:
        return "-"
    return f"{sum(off <= TOLERANCE_S for off in off_s) / len(off_s):.0%} ({statistics.median(off_s):.2f} s)"


def print_table(model: WhisperModel, clips: int, beam: int) -> None:
    """One row per kind of clip and per VAD setting."""
    print("| clips | words | VAD | WER | segment start within 0.5 s (median) | word start within 0.5 s (median) |")
    print("|---|---|---|---|---|---|")
    for kind in KINDS:
        made = [make_clip(kind, seed) for seed in range(clips)]
        for vad in (True, False):
            score = Score()
            for clip in made:
                score.add(clip, transcribe(model, clip.audio, vad=vad, beam=beam))
            print(f"| {kind.name} | {score.words} | {'on' if vad else 'off'} | {score.row} |", flush=True)
    for vad in (True, False):
        invented = [
            "".join(
                s.text for s in transcribe(model, game_noise(NOISE_SEED + 10_000 + seed) * 0.05, vad=vad, beam=beam)
            )
            for seed in range(clips)
        ]
        words = sum(len(text.split()) for text in invented)
        print(f"noise alone, VAD {'on' if vad else 'off'}: {words} words in {clips} clips of 14 s")


def print_example(model: WhisperModel, seed: int) -> None:
    """What is said in one clip with noise and what the model hears, with VAD on and off."""
    clip = make_clip(ClipKind("example", DEMO_VOICES, (3, 5)), seed)
    print(f"\nexample of {len(clip.audio) / SAMPLE_RATE:.1f} s")
    for phrase in clip.phrases:
        print(f"  said        {phrase.start_s:6.2f} - {phrase.end_s:6.2f}  {phrase.text}")
    for vad in (True, False):
        for segment in transcribe(model, clip.audio, vad=vad):
            words = " ".join(f"{word.word.strip()}@{word.start:.2f}" for word in segment.words or [])
            print(f"  heard vad={vad:d} {segment.start:6.2f} - {segment.end:6.2f}  {segment.text.strip()}   [{words}]")


def main() -> None:
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", type=int, default=40, help="clips per row")
    parser.add_argument("--beam", type=int, default=5)
    options = parser.parse_args()
    model = WhisperModel(str(options.folder), device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True)
    print_table(model, options.clips, options.beam)
    for seed in (1, 2):
        print_example(model, 90_000 + seed)


if __name__ == "__main__":
    main()
