"""The probe says of a file's clock what a decoder shows: everything after it is cut and placed by that."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import pytest

from clipstream.common.contracts.documents import Probe
from clipstream.ingest.processor import Bounds, probe
from corpus import odd
from corpus.beeps import Sound
from corpus.gameplay import cut
from corpus.surgery import trim_head, trim_tail

TIMES = odd.even(30, 90)
SOUND = Sound(3.0)
SMALL = odd.Look(size=(160, 90))
PICTURE_S = 1 / 30


@dataclass(frozen=True)
class Decoded:
    """What a decoder shows, in seconds on the file's own clock; pictures without a time count back from the first with one."""

    pictures_s: list[float]
    keys_s: list[float]
    sound_s: float


def decoded(path: Path) -> Decoded:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    timed = next(index for index, frame in enumerate(frames) if frame.pts is not None)
    first = float(frames[timed].time or 0) - timed * PICTURE_S
    times = [
        first + index * PICTURE_S if frame.pts is None else float(frame.time) for index, frame in enumerate(frames)
    ]
    keys = [at for at, frame in zip(times, frames, strict=True) if frame.key_frame]
    with av.open(str(path)) as container:
        heard = [frame.time for frame in container.decode(audio=0)] if container.streams.audio else [0.0]
    return Decoded(times, keys, float(heard[0] or 0))


def probed(path: Path) -> Probe:
    with path.open("rb") as file:
        return probe(file, bounds=Bounds())


def assert_told_as_shown(path: Path) -> Probe:
    found, shown = probed(path), decoded(path)
    start = found.start_s - min(0.0, *(track.start_s for track in found.media.audio), 0.0)
    assert start == pytest.approx(shown.pictures_s[0], abs=0.001), "the first picture"
    keys = [float(ticks * Fraction(*found.time_base)) for ticks in found.keyframes]
    assert keys == pytest.approx(shown.keys_s, abs=0.001), "where the decoder begins anew"
    for track in found.media.audio:
        assert track.start_s == pytest.approx(shown.sound_s - shown.pictures_s[0], abs=0.002), "the sound beside it"
    if not found.media.audio:
        length = shown.pictures_s[-1] - shown.pictures_s[0] + PICTURE_S
        assert found.media.duration_s == pytest.approx(length, abs=0.002)
    return found


B_PYRAMID = odd.with_options(odd.Look(size=(160, 90), b_frames=3), **{"x264-params": "b-pyramid=normal:b-adapt=0"})
LOOKS = {
    "plain": SMALL,
    "b_frames": odd.Look(size=(160, 90), b_frames=2),
    "b_pyramid": B_PYRAMID,
    "open_gop": odd.with_options(
        odd.Look(size=(160, 90), b_frames=3), **{"x264-params": "open-gop=1:b-adapt=0:b-pyramid=normal"}
    ),
    "hevc": odd.Look(size=(160, 90), codec="libx265", b_frames=3),
}
LAYOUTS = {
    "moov_at_end": {},
    "faststart": {"movflags": "faststart"},
    "negative_offsets": {"movflags": "negative_cts_offsets"},
    "fragmented": {"movflags": "frag_keyframe+empty_moov+default_base_moof"},
    "fragmented_with_edits": {"movflags": "frag_keyframe+empty_moov+default_base_moof+delay_moov"},
    "hybrid": {"movflags": "frag_keyframe+empty_moov+hybrid_fragmented"},
}


@pytest.mark.parametrize("layout", list(LAYOUTS))
@pytest.mark.parametrize("look", list(LOOKS))
def test_key_pictures_are_where_they_are_shown(tmp_path: Path, look: str, layout: str) -> None:
    clip = odd.write(tmp_path / "clip.mp4", TIMES, look=LOOKS[look], sounds=[SOUND], container_options=LAYOUTS[layout])
    found = assert_told_as_shown(clip)
    assert len(found.keyframes) == 3


@pytest.mark.parametrize("look", list(LOOKS))
@pytest.mark.parametrize("suffix", [".mov", ".mkv"])
def test_key_pictures_are_where_they_are_shown_in_other_containers(tmp_path: Path, look: str, suffix: str) -> None:
    assert_told_as_shown(odd.write(tmp_path / f"clip{suffix}", TIMES, look=LOOKS[look], sounds=[SOUND]))


def test_uneven_times_with_b_frames(tmp_path: Path) -> None:
    times = odd.mixed((30, 1.0), (12, 1.0), (60, 1.0))
    assert_told_as_shown(odd.write(tmp_path / "clip.mp4", times, look=LOOKS["b_pyramid"], rate=30, sounds=[SOUND]))


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize(
    ("suffix", "clock_s"), [(".mkv", 1000.0), (".mkv", -0.5), (".mp4", 1000.0), (".mp4", 0.5), (".mov", 5.0)]
)
def test_a_clock_that_begins_anywhere(tmp_path: Path, suffix: str, clock_s: float, b_frames: int) -> None:
    options = {"avoid_negative_ts": "disabled"} if clock_s < 0 else {}
    clip = odd.write(
        tmp_path / f"clip{suffix}",
        TIMES,
        look=odd.Look(size=(160, 90), b_frames=b_frames),
        sounds=[SOUND],
        clock_s=clock_s,
        container_options=options,
    )
    found = assert_told_as_shown(clip)
    assert found.media.duration_s == pytest.approx(3.0, abs=0.03)
    assert found.start_s == pytest.approx(clock_s, abs=0.03)


FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof+delay_moov"}


@pytest.mark.parametrize("start_s", [-0.7, -0.08, 0.7])
@pytest.mark.parametrize(
    ("suffix", "options"),
    [(".mkv", {}), (".mp4", {}), (".mp4", FRAGMENTS), (".flv", {})],
    ids=["mkv", "mp4", "fragments", "flv"],
)
def test_sound_beside_the_picture(tmp_path: Path, suffix: str, options: dict[str, str], start_s: float) -> None:
    sound = Sound(3.0, start_s=start_s)
    clip = odd.write(
        tmp_path / f"clip{suffix}", TIMES, look=SMALL, sounds=[sound], clock_s=1.0, container_options=options
    )
    [track] = assert_told_as_shown(clip).media.audio
    assert track.start_s == pytest.approx(start_s, abs=0.025)


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".mkv", "aac"),
        (".mkv", "libopus"),
        (".mkv", "flac"),
        (".mkv", "pcm_s16le"),
        (".mp4", "aac"),
        (".mp4", "libopus"),
        (".mp4", "flac"),
        (".mov", "aac"),
        (".mov", "alac"),
        (".mov", "pcm_s16le"),
    ],
)
def test_what_an_encoder_puts_before_the_sound_is_not_counted(tmp_path: Path, suffix: str, codec: str) -> None:
    clip = odd.write(tmp_path / f"clip{suffix}", TIMES, look=SMALL, sounds=[Sound(3.0, codec=codec)])
    [track] = assert_told_as_shown(clip).media.audio
    assert track.start_s == pytest.approx(0, abs=0.002)


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("trimmed_s", [0.2, 1.0, 1.3])
def test_a_head_that_an_edit_list_leaves_out(tmp_path: Path, trimmed_s: float, b_frames: int) -> None:
    clip = odd.write(tmp_path / "phone.mp4", TIMES, look=odd.Look(size=(160, 90), b_frames=b_frames), sounds=[SOUND])
    found = assert_told_as_shown(trim_head(clip, trimmed_s))
    assert found.start_s == pytest.approx(0, abs=0.002)
    assert found.media.duration_s == pytest.approx(3 - trimmed_s, abs=0.03)


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("trimmed_s", [0.2, 1.3])
def test_a_tail_that_an_edit_list_leaves_out(tmp_path: Path, trimmed_s: float, b_frames: int) -> None:
    clip = odd.write(tmp_path / "phone.mp4", TIMES, look=odd.Look(size=(160, 90), b_frames=b_frames))
    found = assert_told_as_shown(trim_tail(clip, trimmed_s))
    assert found.media.duration_s == pytest.approx(3 - trimmed_s, abs=0.03)


@pytest.mark.parametrize("suffix", [".mkv", ".flv", ".mp4"])
def test_pictures_that_nothing_can_show_do_not_begin_a_clip(tmp_path: Path, suffix: str) -> None:
    """A replay buffer cut without encoding: the first half second refers to pictures that are gone."""
    whole = odd.write(tmp_path / "whole.mp4", TIMES, look=SMALL)
    assert_told_as_shown(cut(whole, tmp_path / f"clip{suffix}", start_s=0.5, end_s=10))


class Counted:
    """A file that counts what is read of it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.bytes_read = 0
        self.seek, self.tell = self._file.seek, self._file.tell

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.bytes_read += len(data)
        return data


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_of_a_file_with_an_index_little_is_read(tmp_path: Path, codec: str) -> None:
    """Pictures' times are known without their data, B-frames or not."""
    rate = "b-adapt=0:nal-hrd=cbr:bitrate=8000:vbv-maxrate=8000:vbv-bufsize=8000"
    look = odd.with_options(LOOKS["b_pyramid"], **{"x264-params": rate})
    clip = odd.write(tmp_path / "clip.mov", odd.even(30, 180), look=look, sounds=[Sound(6.0, codec=codec)])
    file = Counted(clip)
    probe(file, bounds=Bounds())  # type: ignore[arg-type]
    assert clip.stat().st_size > 4_000_000
    assert file.bytes_read < 1_500_000
