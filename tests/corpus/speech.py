"""Synthesized speech with exact word times, for the demo, the tests and the training of the demo speech model.

The voice is espeak-ng, shipped as a shared library by the `espeakng-loader` package, so neither root nor a system
package is needed. The library keeps one global state: it is initialised once per process and every call holds a lock.
This file only speaks: what is said, and the noise below it, belong to the caller.
"""

import ctypes
import functools
import importlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 16_000
"""Hz of every utterance: what Whisper-format models hear."""

SPEECH_RMS = 0.06
"""Every utterance is scaled to this root mean square (-24 dBFS), so that voices compare."""

ACCENTS = ("en-us", "en-gb-x-rp", "en-gb-scotland", "en-029", "en-us-nyc")
"""espeak refuses plain `en-gb` when a variant is asked for, so received pronunciation stands for Britain."""

# fmt: off
_SEEN_VARIANTS = (
    "m1", "m2", "m3", "m4", "m6", "m7", "m8", "f1", "f2", "f4", "f5", "Alex", "Alicia", "Andy", "Annie", "Denis",
    "Diogo", "Gene", "Gene2", "Henrique", "Hugo", "Jacky", "Marco", "Mario", "Michael", "Mike", "Nguyen", "Reed",
    "Storm", "Tweaky", "adam", "anika", "announcer", "antonio", "aunty", "belinda", "benjamin", "boris", "caleb",
    "david", "ed", "edward", "grandma", "grandpa", "ian", "iven", "iven2", "john", "kaukovalta", "klatt", "klatt2",
    "linda", "marcelo", "max", "michel", "miguel", "norbert", "pablo", "paul", "pedro", "quincy", "rob", "robert",
    "sandro", "shelby", "steph", "travis", "victor", "zac",
)
# fmt: on
_HELD_OUT_VARIANTS = ("f3", "m5", "Andrea", "Lee")

Samples: TypeAlias = npt.NDArray[np.float32]
TimedLabel: TypeAlias = tuple[str, float, float]
"""(what, start in seconds, end in seconds)"""


class SpeechSynthesisError(RuntimeError):
    """espeak-ng refused the voice or could not speak the text."""


@dataclass(frozen=True, slots=True)
class Voice:
    """An espeak-ng voice: an accent, and optionally the variant that changes the speaker."""

    accent: str
    variant: str = ""

    @property
    def name(self) -> str:
        """The name espeak knows the voice by, such as `en-us+m3`."""
        return f"{self.accent}+{self.variant}" if self.variant else self.accent


@dataclass(frozen=True, slots=True)
class Utterance:
    """Spoken text: mono float32 samples in -1..1, with the interval of every word and phone."""

    samples: Samples
    sample_rate: int
    words: tuple[TimedLabel, ...]
    phones: tuple[TimedLabel, ...]

    @property
    def duration_s(self) -> float:
        """Length in seconds; silence before the first and after the last sound is already cut."""
        return len(self.samples) / self.sample_rate


SEEN_VOICES = tuple(Voice(accent, variant) for accent in ACCENTS for variant in ("", *_SEEN_VARIANTS))
"""Voices the demo speech model was trained on."""

HELD_OUT_VOICES = tuple(Voice(accent, variant) for accent in ACCENTS for variant in _HELD_OUT_VARIANTS)
"""Voices the demo speech model has never heard."""

DEMO_VOICES = (
    *(Voice("en-us", variant) for variant in ("", "m1", "m3", "m7", "f2", "f4")),
    Voice("en-gb-x-rp", "m2"),
    Voice("en-gb-scotland", "f1"),
)
"""A few clear and clearly different voices out of `SEEN_VOICES`."""

CALL_OUTS = (
    "enemy on the left",
    "push the left side now",
    "behind you",
    "i need ammo",
    "they are on the roof",
    "what a perfect headshot",
    "fall back",
    "plant the bomb at bravo",
    "ten seconds left",
    "blue team wins the round",
    "watch your right",
    "the red dragon is coming",
)
"""Phrases the demo speech model knows; `tools/train_whisper/grammar.py` holds all of them."""


def synthesize(text: str, voice: Voice | str, rate: int = 165, pitch: int = 50) -> Utterance:
    """Speak `text` (plain words, no punctuation) at `rate` words per minute and `pitch` 0..99.

    The same calls in the same order give the same samples in a new process; within one, a repeated call differs by
    phase, and by a few milliseconds in length.
    Raises `SpeechSynthesisError` when espeak-ng does not know the voice or produces no sound.
    """
    name = voice.name if isinstance(voice, Voice) else voice
    pcm, source_rate, events = _engine().speak(text, name, rate, pitch)
    if not len(pcm) or not np.any(pcm):
        raise SpeechSynthesisError(f"espeak-ng produced no sound for {text!r} with voice {name!r}.")
    samples = _resample(pcm, source_rate)
    first, last = _audible(samples)
    phones = _phone_intervals(events, end_s=len(samples) / SAMPLE_RATE)
    words = _word_intervals(text, events, phones)
    cut = functools.partial(_shift, offset_s=first / SAMPLE_RATE, end_s=(last - first) / SAMPLE_RATE)
    samples = samples[first:last]
    samples = samples * np.float32(SPEECH_RMS / np.sqrt(np.mean(np.square(samples))))
    return Utterance(np.clip(samples, -1.0, 1.0), SAMPLE_RATE, cut(words), cut(phones))


@dataclass(frozen=True, slots=True)
class _SpeechEvent:
    """A word (`text` empty) or phone (`text` its mnemonic) that begins `at_s` into the audio."""

    is_word: bool
    text: str
    text_position: int
    at_s: float


class _RawEvent(ctypes.Structure):
    """`espeak_EVENT` of espeak-ng's speak_lib.h; the last field is a union, read here as its 8-byte string."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_SYNCHRONOUS_OUTPUT = 2
_PHONEME_EVENTS = 1
_UTF8 = 1
_POSITION_IS_CHARACTER = 1
_LIST_END, _WORD, _PHONE = 0, 1, 7
_RATE, _PITCH = 1, 3
_BREATH_SEED = 1
"""espeak's noise is seeded before every utterance; its oscillators run on from one to the next all the same."""

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_RawEvent))


class _Engine:
    """The one espeak-ng instance of this process."""

    def __init__(self) -> None:
        loader = importlib.import_module("espeakng_loader")
        self._library = ctypes.CDLL(str(loader.get_library_path()))
        self._lock = threading.Lock()
        self._callback = _CALLBACK(self._receive)
        self._voice = ""
        self._chunks: list[npt.NDArray[np.int16]] = []
        self._events: list[_SpeechEvent] = []
        data_path = str(loader.get_data_path())
        self._variants = Path(data_path) / "voices" / "!v"
        self._sample_rate = int(
            self._library.espeak_Initialize(_SYNCHRONOUS_OUTPUT, 0, data_path.encode(), _PHONEME_EVENTS)
        )
        if self._sample_rate <= 0:
            raise SpeechSynthesisError(f"espeak-ng did not start with the voice data in {data_path}.")
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(
        self, text: str, voice: str, rate: int, pitch: int
    ) -> tuple[npt.NDArray[np.int16], int, tuple[_SpeechEvent, ...]]:
        """The samples espeak made, their rate, and its events in order of time."""
        encoded = text.encode()
        with self._lock:
            self._select(voice)
            self._library.espeak_SetParameter(_RATE, rate, 0)
            self._library.espeak_SetParameter(_PITCH, pitch, 0)
            self._library.espeak_ng_SetRandSeed(_BREATH_SEED)
            self._chunks, self._events = [], []
            status = self._library.espeak_Synth(
                encoded, len(encoded) + 1, 0, _POSITION_IS_CHARACTER, 0, _UTF8, None, None
            )
            if status != 0:
                raise SpeechSynthesisError(f"espeak-ng could not speak {text!r} (status {status}).")
            pcm = np.concatenate(self._chunks) if self._chunks else np.zeros(0, np.int16)
            return pcm, self._sample_rate, tuple(self._events)

    def _select(self, voice: str) -> None:
        if voice == self._voice:
            return
        self._voice = ""
        variant = voice.partition("+")[2]
        # espeak takes an unknown variant without a word and speaks with the plain voice
        known = not variant or (self._variants / variant).is_file()
        if not known or self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise SpeechSynthesisError(f"espeak-ng has no voice {voice!r}; SEEN_VOICES lists the usable ones.")
        self._voice = voice

    def _receive(
        self, wave: "ctypes._Pointer[ctypes.c_short]", count: int, events: "ctypes._Pointer[_RawEvent]"
    ) -> int:
        if wave and count:
            self._chunks.append(np.ctypeslib.as_array(wave, (count,)).copy())
        index = 0
        while (event := events[index]).type != _LIST_END:
            if event.type in (_WORD, _PHONE):
                text = bytes(event.id).decode(errors="replace") if event.type == _PHONE else ""
                at_s = event.audio_position / 1000
                self._events.append(_SpeechEvent(event.type == _WORD, text, event.text_position, at_s))
            index += 1
        return 0


@functools.cache
def _engine() -> _Engine:
    return _Engine()


def _resample(pcm: npt.NDArray[np.int16], rate: int) -> Samples:
    frame = av.AudioFrame.from_ndarray(pcm[np.newaxis], format="s16", layout="mono")
    frame.sample_rate = rate
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    parts = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray()[0] for part in parts]).astype(np.float32)


def _audible(samples: Samples) -> tuple[int, int]:
    """First and one-past-last sample above 1 % of the peak."""
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    return int(loud[0]), int(loud[-1]) + 1


def _phone_intervals(events: Sequence[_SpeechEvent], end_s: float) -> tuple[TimedLabel, ...]:
    """Each phone lasts until the next one; pauses (mnemonics starting with `_`) and empty ends are left out."""
    phones = [event for event in events if not event.is_word]
    ends = [phone.at_s for phone in phones[1:]] + [end_s]
    return tuple(
        (phone.text, phone.at_s, end)
        for phone, end in zip(phones, ends, strict=True)
        if phone.text and not phone.text.startswith(("_", "(")) and end > phone.at_s
    )


def _word_intervals(text: str, events: Sequence[_SpeechEvent], phones: Sequence[TimedLabel]) -> tuple[TimedLabel, ...]:
    """Each word from its event to the end of its last phone.

    espeak joins some function words (`on the`) into one event: their starts are interpolated over the characters.
    """
    words = text.split()
    positions = list(np.cumsum([0] + [len(word) + 1 for word in words]))
    known = {event.text_position - 1: event.at_s for event in events if event.is_word}
    known.setdefault(0, phones[0][1] if phones else 0.0)
    end_s = phones[-1][2] if phones else known[0]
    anchors = sorted({**known, int(positions[-1]): end_s}.items())
    starts = np.interp(positions, [place for place, _ in anchors], [at for _, at in anchors])
    return tuple(
        (word, float(start), max([float(start), *(p[2] for p in phones if start <= p[1] < stop)]))
        for word, (start, stop) in zip(words, pairwise(starts), strict=True)
    )


def _shift(labels: Sequence[TimedLabel], offset_s: float, end_s: float) -> tuple[TimedLabel, ...]:
    """`labels` moved to a cut that starts at `offset_s` and is `end_s` long."""

    def clamp(at: float) -> float:
        return min(max(at - offset_s, 0.0), end_s)

    return tuple((what, clamp(start), clamp(end)) for what, start, end in labels)
