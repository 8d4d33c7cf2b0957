"""The training corpus: thousands of synthesized utterances in one file, with word and phone times.

python -m train_whisper.speech_corpus /tmp/train/corpus.npz --utterances 14000
"""

import argparse
import io
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import av
import numpy as np
import numpy.typing as npt

from corpus.speech import ACCENTS, DEMO_VOICES, SAMPLE_RATE, SEEN_VOICES, Utterance, Voice, synthesize
from train_whisper import grammar

AAC_SHARE = 0.25
"""Share of the utterances that went through the codec clips arrive in."""

SCRAMBLE_SHARE = 0.15

_AAC_DELAY = 1024 * SAMPLE_RATE // 48_000
"""Samples the encoder puts before the sound; ADTS has no edit list that would cut them."""

_CLEAR_VOICES = tuple(
    Voice(accent, variant)
    for accent in ACCENTS
    for variant in ("", "m1", "m2", "m3", "m4", "m6", "m7", "m8", "f1", "f2", "f4", "f5")
)


@dataclass(frozen=True, slots=True)
class SpeechCorpus:
    """All utterances end to end. `labels` rows are (class, start sample, end sample) within their utterance."""

    pcm: npt.NDArray[np.int16]
    bounds: npt.NDArray[np.int64]
    words: npt.NDArray[np.int32]
    word_bounds: npt.NDArray[np.int64]
    phones: npt.NDArray[np.int32]
    phone_bounds: npt.NDArray[np.int64]
    phone_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def samples(self, index: int) -> npt.NDArray[np.float32]:
        """One utterance as float32 in -1..1."""
        return self.pcm[self.bounds[index] : self.bounds[index + 1]].astype(np.float32) / np.float32(32768)

    def words_of(self, index: int) -> npt.NDArray[np.int32]:
        """Its words; the class is the place in `grammar.words()`."""
        return self.words[self.word_bounds[index] : self.word_bounds[index + 1]]

    def phones_of(self, index: int) -> npt.NDArray[np.int32]:
        """Its phones; the class is the place in `phone_names`."""
        return self.phones[self.phone_bounds[index] : self.phone_bounds[index + 1]]

    def save(self, path: Path) -> None:
        """Write everything to one uncompressed .npz."""
        np.savez(path, **{name: getattr(self, name) for name in self.__dataclass_fields__})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(path) as stored:
            arrays = {name: stored[name] for name in cls.__dataclass_fields__}
        return cls(**{**arrays, "phone_names": tuple(str(name) for name in arrays["phone_names"])})


def draw_voice(rng: random.Random) -> Voice:
    """Half the time one of the clear voices, and American accents three times as often as each other one."""
    pick = rng.random()
    pool = DEMO_VOICES if pick < 0.1 else _CLEAR_VOICES if pick < 0.5 else SEEN_VOICES
    return rng.choices(pool, weights=[3 if voice.accent == "en-us" else 1 for voice in pool])[0]


def draw_utterances(count: int, seed: int) -> Iterator[Utterance]:
    """Random phrases of the training part of the grammar in random voices, rates and pitches."""
    rng = random.Random(seed)
    for _ in range(count):
        scrambled = rng.random() < SCRAMBLE_SHARE
        phrase = grammar.draw_scramble(rng) if scrambled else grammar.draw_phrase(rng)
        yield synthesize(phrase, draw_voice(rng), rate=rng.randint(130, 215), pitch=rng.randint(25, 75))


def aac_round_trip(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The samples after AAC at 48 kHz stereo 128 kbit/s, as a captured clip carries them."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="adts") as out:
        stream = out.add_stream("aac", rate=48_000, layout="stereo")
        stream.bit_rate = 128_000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[np.newaxis]), format="flt", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        widen = av.AudioResampler(format="fltp", layout="stereo", rate=48_000, frame_size=1024)
        for part in [*widen.resample(frame), *widen.resample(None)]:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    buffer.seek(0)
    narrow = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    with av.open(buffer, "r") as source:
        decoded = [part for frame in source.decode(audio=0) for part in narrow.resample(frame)]
    decoded += narrow.resample(None)
    result = np.concatenate([part.to_ndarray()[0] for part in decoded])[_AAC_DELAY:][: len(samples)]
    return np.pad(result, (0, len(samples) - len(result))).astype(np.float32)


def _with_codec(utterances: list[Utterance]) -> list[npt.NDArray[np.float32]]:
    """The utterances' samples; the first share of them encoded and decoded together, which is cheap."""
    coded = int(len(utterances) * AAC_SHARE)
    plain = [utterance.samples for utterance in utterances]
    joined = aac_round_trip(np.concatenate(plain[:coded]))
    cuts = np.cumsum([len(samples) for samples in plain[:coded]])[:-1]
    return [*np.split(joined, cuts), *plain[coded:]]


def build(count: int, seed: int, block: int = 200) -> SpeechCorpus:
    """Synthesize `count` utterances."""
    word_class = {word: index for index, word in enumerate(grammar.words())}
    phone_class: dict[str, int] = {}
    pcm: list[npt.NDArray[np.int16]] = []
    words: list[list[tuple[int, int, int]]] = []
    phones: list[list[tuple[int, int, int]]] = []
    drawn = draw_utterances(count, seed)
    while utterances := list(itertools.islice(drawn, block)):
        for samples, utterance in zip(_with_codec(utterances), utterances, strict=True):
            pcm.append((np.clip(samples, -1, 1) * 32767).astype(np.int16))
            words.append([(word_class[w], _sample(start), _sample(end)) for w, start, end in utterance.words])
            names = [(name.strip("',"), start, end) for name, start, end in utterance.phones]
            phones.append(
                [(phone_class.setdefault(n, len(phone_class)), _sample(start), _sample(end)) for n, start, end in names]
            )
    return SpeechCorpus(
        np.concatenate(pcm),
        _bounds(pcm),
        np.array([row for rows in words for row in rows], np.int32),
        _bounds(words),
        np.array([row for rows in phones for row in rows], np.int32),
        _bounds(phones),
        tuple(phone_class),
    )


def _sample(at_s: float) -> int:
    return round(at_s * SAMPLE_RATE)


def _bounds(parts: list[npt.NDArray[np.int16]] | list[list[tuple[int, int, int]]]) -> npt.NDArray[np.int64]:
    return np.cumsum([0] + [len(part) for part in parts]).astype(np.int64)


def main() -> None:
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--utterances", type=int, default=14_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    corpus = build(options.utterances, options.seed)
    options.path.parent.mkdir(parents=True, exist_ok=True)
    corpus.save(options.path)
    hours = len(corpus.pcm) / SAMPLE_RATE / 3600
    print(f"{len(corpus)} utterances, {hours:.2f} h, {len(corpus.phone_names)} phones -> {options.path}")


if __name__ == "__main__":
    main()
