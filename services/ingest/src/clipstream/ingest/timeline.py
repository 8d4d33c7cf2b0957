"""When the pictures of a track are shown, without decoding one: from the container's index, else by reading its packets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from statistics import median

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

Track = VideoStream | AudioStream


@dataclass(frozen=True, slots=True)
class Timeline:
    """One track. Times are ticks of `time_base`; `keyframes` are presentation times, `steps` the gaps between samples.

    `present` is the share of the samples that the file holds in full: below 1 it was cut off."""

    time_base: Fraction
    start: int
    end: int
    samples: int
    keyframes: tuple[int, ...]
    steps: tuple[int, ...]
    present: float = 1.0

    @property
    def start_s(self) -> float:
        return float(self.start * self.time_base)

    @property
    def end_s(self) -> float:
        return float(self.end * self.time_base)

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    @property
    def usual_step_s(self) -> float:
        """The gap that most pictures have: the reciprocal of the frame rate."""
        return float(median(self.steps) * self.time_base) if self.steps else 0.0

    @property
    def variable(self) -> bool:
        """Whether more than one gap in a hundred is off by a tenth and by more than rounding to ticks explains."""
        if len(self.steps) < 2:
            return False
        usual = median(self.steps)
        off = sum(abs(step - usual) > max(0.1 * usual, 1.5) for step in self.steps)
        return off > len(self.steps) / 100


def from_index(container: InputContainer, track: Track, size: int) -> Timeline | None:
    """By the index that an MP4 or MOV carries; None where it has none that covers the track (fragmented files)."""
    entries = [entry for entry in track.index_entries if not entry.is_discard]
    if not track.frames or track.time_base is None or len(entries) < track.frames * 0.9:
        return None
    whole = [entry for entry in entries if entry.pos + entry.size <= size]
    if not whole:
        return Timeline(track.time_base, 0, 0, 0, (), (), present=0.0)
    shift = _first_shift(container, track)
    times = [entry.timestamp + shift for entry in whole]
    keyframes = [entry.timestamp + shift for entry in whole if entry.is_keyframe]
    only = track.duration if len(entries) == 1 else None
    return _timeline(track.time_base, times, keyframes, last=only, present=len(whole) / len(entries))


def by_reading(container: InputContainer, wanted: Sequence[Track]) -> dict[int, Timeline]:
    """By demuxing the whole file from where `container` is, for containers whose index does not name every sample. Keyed by
    track index; only that counts in `wanted`, whose streams may be of another container of the same file."""
    times: dict[int, list[int]] = {track.index: [] for track in wanted}
    keyframes: dict[int, list[int]] = {track.index: [] for track in wanted}
    last: dict[int, int] = {}
    for packet in container.demux(*(container.streams[track.index] for track in wanted)):
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None or packet.size == 0:
            continue
        index = packet.stream.index
        times[index].append(time)
        last[index] = packet.duration or 0
        if packet.is_keyframe:
            keyframes[index].append(time)
    return {
        track.index: _timeline(track.time_base, times[track.index], keyframes[track.index], last=last.get(track.index))
        for track in wanted
        if track.time_base is not None
    }


def _timeline(
    time_base: Fraction, times: list[int], keyframes: list[int], *, last: int | None, present: float = 1.0
) -> Timeline:
    if not times:
        return Timeline(time_base, 0, 0, 0, (), (), present)
    times.sort()  # packets come in decoding order
    steps = tuple(later - earlier for earlier, later in pairwise(times) if later > earlier)
    final = last or (int(median(steps)) if steps else 0)
    return Timeline(time_base, times[0], times[-1] + final, len(times), tuple(sorted(keyframes)), steps, present)


def _first_shift(container: InputContainer, track: Track) -> int:
    """What turns the index's decoding times into presentation times: the first packet has both."""
    container.seek(0)
    for packet in container.demux(track):
        if packet.pts is not None and packet.dts is not None:
            return packet.pts - packet.dts
        break
    return 0
