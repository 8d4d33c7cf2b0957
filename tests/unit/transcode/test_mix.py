"""The sum of several tracks, and what is learned of them meanwhile."""

from __future__ import annotations

import numpy as np

from clipstream.transcode.sound.likeness import Likeness
from clipstream.transcode.sound.limiter import Limiter
from clipstream.transcode.sound.mix import CEILING, Mixer
from clipstream.transcode.sound.samples import SAMPLE_RATE, Samples

LENGTH_S = 4


def tone(hertz: float, level: float = 0.2, length_s: float = LENGTH_S) -> Samples:
    time = np.arange(round(length_s * SAMPLE_RATE)) / SAMPLE_RATE
    return np.tile((level * np.sin(2 * np.pi * hertz * time)).astype(np.float32), (2, 1))


def noise(seed: int, level: float = 0.05, length_s: float = LENGTH_S) -> Samples:
    samples: Samples = np.random.default_rng(seed).standard_normal((2, round(length_s * SAMPLE_RATE)), np.float32)
    return (
        np.convolve(samples.ravel(), np.ones(32, np.float32) / 8, mode="same").reshape(2, -1).astype(np.float32) * level
    )


def mixed(*tracks: Samples, piece: int = 7000) -> tuple[Samples, Mixer]:
    """Fed in pieces, in turn, as a file gives them."""
    mixer, out = Mixer(len(tracks)), list[Samples]()
    for at in range(0, max(track.shape[1] for track in tracks), piece):
        for number, track in enumerate(tracks):
            if at < track.shape[1]:
                out += mixer.add(number, track[:, at : at + piece])
    out += mixer.finish()
    return np.concatenate(out, axis=1), mixer


def heard(*tracks: Samples) -> Likeness:
    return mixed(*tracks)[1].likeness


def test_a_mix_is_the_sum_at_the_levels_as_recorded() -> None:
    one, two = tone(440), tone(1000, 0.1)
    result, _ = mixed(one, two)
    assert result.shape == one.shape
    assert np.abs(result - (one + two)).max() < 1e-5


def test_a_sum_that_is_too_loud_is_turned_down_and_keeps_its_shape() -> None:
    one, two = tone(440, 0.9), tone(441, 0.9)
    result, _ = mixed(one, two)
    assert np.abs(result).max() <= CEILING + 1e-4
    cut = np.clip(one + two, -CEILING, CEILING)
    wave = np.abs(np.fft.rfft(result[0, :SAMPLE_RATE]))
    assert overtones(result) < 0.1 * overtones(cut)
    assert wave.argmax() in (440, 441)


def overtones(samples: Samples) -> float:
    """The share of the third harmonic, which cutting tops off adds."""
    spectrum = np.abs(np.fft.rfft(samples[0, :SAMPLE_RATE]))
    return float(spectrum[1310:1335].max() / spectrum[430:450].max())


def test_what_is_not_too_loud_passes_the_limiter_in_its_place() -> None:
    click = np.zeros((2, SAMPLE_RATE), np.float32)
    click[:, 12_345] = 0.5
    limiter = Limiter(CEILING)
    parts = [part for piece in np.array_split(click, 5, axis=1) for part in limiter.add(piece)]
    assert np.array_equal(np.concatenate([*parts, *limiter.finish()], axis=1), click)


def test_a_track_that_begins_late_and_one_that_ends_early_are_in_step() -> None:
    long, short = tone(300), tone(700, length_s=1)
    result, _ = mixed(long, short)
    expected = long.copy()
    expected[:, :SAMPLE_RATE] += short
    assert np.abs(result - expected).max() < 1e-5


def test_a_track_far_behind_in_the_file_is_not_waited_for() -> None:
    """Memory: what waits is bounded although the second track comes only when the first is over."""
    length_s = 24
    mixer, out, waiting = Mixer(2), list[Samples](), 0
    for _ in range(length_s):
        out += mixer.add(0, tone(440, length_s=1))
        waiting = max(waiting, sum(piece.nbytes for pieces in mixer._waiting for piece in pieces))
    for second in range(length_s):
        out += mixer.add(1, tone(700, 0.01 * second, length_s=1))
    out += mixer.finish()
    result = np.concatenate(out, axis=1)
    assert waiting <= 10 * SAMPLE_RATE * 8
    assert result.shape[1] == length_s * SAMPLE_RATE
    assert np.abs(result[:, -SAMPLE_RATE:] - tone(440, length_s=1) - tone(700, 0.23, length_s=1)).max() < 1e-4


def test_copies_are_counted_once() -> None:
    one, two = noise(1), noise(2)
    result, mixer = mixed(one, one, two)
    assert mixer.likeness.originals() == [0, 2]
    assert np.abs(result - (one + two)).max() < 1e-5


def test_a_quiet_voice_makes_a_track_no_copy() -> None:
    game, voice = noise(1), noise(2, 0.05)
    voice[:, SAMPLE_RATE // 2 :] = 0
    voice *= 0.02
    assert heard(game, game + voice).originals() == [0, 1]


def test_silence_is_told_from_a_whisper() -> None:
    assert heard(noise(1), noise(2) * 0, noise(3, 1e-5), noise(4, 0.005)).audible() == [0, 3]


def test_tracks_of_their_own_are_no_mix() -> None:
    assert heard(noise(1), noise(2)).mix([0, 1]) is None
    assert heard(noise(1), noise(2), tone(220)).mix([0, 1, 2]) is None


def test_the_sum_of_the_others_is_their_mix_wherever_it_stands() -> None:
    game, voice, chat = noise(1), noise(2, 0.02), tone(300, 0.05)
    for place in range(4):
        tracks = [game, voice, chat]
        tracks.insert(place, game + voice + chat)
        assert heard(*tracks).mix([0, 1, 2, 3]) == place


def test_a_mix_that_was_turned_down_is_still_one() -> None:
    game, voice = noise(1), noise(2, 0.03)
    assert heard(0.5 * (game + voice), game, voice).mix([0, 1, 2]) == 0


def test_a_mix_may_hold_what_no_other_track_does() -> None:
    """The commonest way to record two tracks: everything, and the microphone alone."""
    game, voice = noise(1), noise(2, 0.02)
    assert heard(game + voice, voice).mix([0, 1]) == 0
    assert heard(voice, game + voice).mix([0, 1]) == 1


def test_a_mix_that_lacks_one_of_the_others_is_none() -> None:
    game, voice, chat = noise(1), noise(2, 0.03), noise(3, 0.02)
    assert heard(game + voice, game, voice, chat).mix([0, 1, 2, 3]) is None


def test_a_microphone_that_hears_the_speakers_is_no_mix() -> None:
    game, voice = noise(1), noise(2, 0.03)
    echo = 0.1 * np.roll(game, 400, axis=1)
    assert heard(game, voice + echo).mix([0, 1]) is None


def test_a_mix_that_was_turned_down_and_coded_with_loss_is_still_one() -> None:
    game, voice = noise(1), noise(2, 0.03)
    assert heard(0.5 * (game + voice) + noise(3, 0.004), game, voice).mix([0, 1, 2]) == 0


def test_a_track_that_barely_holds_another_is_no_mix() -> None:
    """As the default it would hide the game."""
    game, chat = noise(1, 0.03), noise(2)
    assert heard(game, chat, chat + 0.1 * game).mix([0, 1, 2]) is None


def test_chance_makes_no_mix() -> None:
    """Of a few seconds and a whisper anything may seem to hold everything."""
    for seed in range(80):
        random = np.random.default_rng(seed)
        block = random.standard_normal((2, 2, SAMPLE_RATE // 4), np.float32)
        likeness = Likeness(2)
        likeness.add(block * np.array([0.1, 0.001], np.float32)[:, None, None])
        assert likeness.mix([0, 1]) is None
