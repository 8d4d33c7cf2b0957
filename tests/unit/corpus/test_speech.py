"""The synthesized speech other tests trust: its times, its voices, its independence of who else is speaking."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from corpus import speech

ROOT = Path(__file__).resolve().parents[3]


def _spectrum(samples: speech.Samples) -> speech.Samples:
    """Energy in bands of 100 Hz: the speaker and the words, without the phase."""
    power = np.abs(np.fft.rfft(samples, speech.SAMPLE_RATE)) ** 2
    return np.asarray(np.log(power[:8000].reshape(80, 100).sum(axis=1) + 1e-6), dtype=np.float32)


def test_every_word_has_its_own_interval_in_order() -> None:
    text = "two snipers on the roof push the left side now"
    spoken = speech.synthesize(text, speech.Voice("en-us", "m3"))
    assert [word for word, _, _ in spoken.words] == text.split()
    starts = [start for _, start, _ in spoken.words]
    assert starts == sorted(set(starts))
    assert all(start < end <= spoken.duration_s for _, start, end in spoken.words)


def test_word_times_are_where_the_sound_is() -> None:
    """A word said alone lasts as long as its interval in the phrase says, give or take the joining of sounds."""
    spoken = speech.synthesize("reload quickly", "en-us")
    alone = speech.synthesize("reload", "en-us")
    _, start, end = spoken.words[0]
    assert end - start == pytest.approx(alone.duration_s, abs=0.15)


def test_silence_around_the_speech_is_cut_and_the_level_is_fixed() -> None:
    for voice in speech.DEMO_VOICES:
        samples = speech.synthesize("behind you", voice).samples
        edge = np.abs(samples[:160]).max(), np.abs(samples[-160:]).max()
        assert min(edge) > 0.005 * np.abs(samples).max()
        assert np.sqrt(np.mean(samples**2)) == pytest.approx(speech.SPEECH_RMS, rel=0.05)


def test_rate_and_pitch_change_the_speech() -> None:
    slow, fast = (speech.synthesize("enemy on the left", "en-us", rate=rate) for rate in (120, 220))
    assert slow.duration_s > 1.3 * fast.duration_s
    high = speech.synthesize("enemy on the left", "en-us", rate=120, pitch=90)
    assert len(high.samples) != len(slow.samples) or not np.allclose(high.samples, slow.samples)


@pytest.mark.parametrize("name", ["xx-nowhere", "en-us+nobody"])
def test_an_unknown_voice_is_refused_by_name(name: str) -> None:
    with pytest.raises(speech.SpeechSynthesisError, match=name.replace("+", r"\+")):
        speech.synthesize("behind you", name)


def test_seen_and_held_out_voices_are_different_speakers() -> None:
    seen, held_out = ({voice.name for voice in voices} for voices in (speech.SEEN_VOICES, speech.HELD_OUT_VOICES))
    assert not seen & held_out
    assert {voice.name for voice in speech.DEMO_VOICES} <= seen


def test_threads_do_not_speak_into_each_other() -> None:
    voices = [voice.name for voice in speech.DEMO_VOICES]
    alone = {name: speech.synthesize("cover me", name).samples for name in voices}
    with ThreadPoolExecutor(4) as pool:
        spoken = list(pool.map(lambda name: (name, speech.synthesize("cover me", name).samples), voices * 4))
    for name, samples in spoken:
        assert np.corrcoef(_spectrum(samples), _spectrum(alone[name]))[0, 1] > 0.99
        assert len(samples) == pytest.approx(len(alone[name]), abs=0.05 * speech.SAMPLE_RATE)


def test_the_demo_speech_model_knows_every_call_out() -> None:
    [folder] = (ROOT / "models").glob("demo-whisper-tts-*")
    known = set(json.loads((folder / "vocabulary.json").read_text()))
    assert {"Ġ" + word for phrase in speech.CALL_OUTS for word in phrase.split()} <= known
