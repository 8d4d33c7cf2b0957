"""When the pictures of a track are shown, without decoding one: from the container's index, else by reading its packets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice, pairwise
from statistics import median
from typing import BinaryIO

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.index import IndexEntry
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from clipstream.ingest import composition

Track = VideoStream | AudioStream

_LOOKED_AT_PACKETS = 16


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

    def beginning(self, start: int | None) -> Timeline:
        """The same track, of which nothing is shown before `start`."""
        if start is None or not self.start < start < self.end:
            return self
        return replace(self, start=start, keyframes=tuple(time for time in self.keyframes if time >= start))

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


def from_index(container: InputContainer, media: BinaryIO, track: Track, size: int) -> Timeline | None:
    """By the index that an MP4, MOV or AVI carries; None where it has none that covers the track (fragmented files), or where
    it does not tell when each picture is shown. `media` is the file that `container` reads."""
    entries = [entry for entry in track.index_entries if not entry.is_discard]
    if track.time_base is None or not _covered(track, entries):
        return None
    whole = [entry for entry in entries if entry.pos + entry.size <= size]
    if not whole:
        return Timeline(track.time_base, 0, 0, 0, (), (), present=0.0)
    delays = _delays(container, media, track)
    if delays is None:
        return None
    times = [entry.timestamp + delays.of(entry) for entry in whole]
    keyframes = [time for time, entry in zip(times, whole, strict=True) if entry.is_keyframe]
    only = track.duration if len(entries) == 1 else None
    line = _timeline(track.time_base, times, keyframes, last=only, present=len(whole) / len(entries))
    return line.beginning(delays.heard_from)


def _covered(track: Track, entries: Sequence[IndexEntry]) -> bool:
    """Whether the index names all of a track. It takes many samples of PCM together."""
    if track.frames and entries and track.duration and track.codec_context.codec.canonical_name.startswith("pcm_"):
        return entries[-1].timestamp - entries[0].timestamp >= track.duration * 0.9
    return 0 < track.frames * 0.9 <= len(entries)


@dataclass(frozen=True, slots=True)
class _Delays:
    """What turns the index's decoding times into presentation times, in ticks: a constant, and in some files a part of each
    sample's own, by its place in the file."""

    constant: int = 0
    own: Mapping[int, int] | None = None
    heard_from: int | None = None

    def of(self, entry: IndexEntry) -> int:
        return self.constant + (self.own[entry.pos] if self.own else 0)


def _delays(container: InputContainer, media: BinaryIO, track: Track) -> _Delays | None:
    """None where the file's tables and libav's packets do not agree."""
    packets = _first_packets(container, track)
    if not packets:
        return _Delays()
    seen = [(packet.pos, (packet.pts or 0) - (packet.dts or 0)) for packet in packets]
    if isinstance(track, AudioStream) or "mov" not in container.format.name:
        return _Delays(seen[0][1], heard_from=_heard_from(packets[0]))
    entries = list(track.index_entries)
    offsets = composition.offsets(media, track.id, [entry.size for entry in entries])
    if offsets is None:
        return None
    own = {entry.pos: offset for entry, offset in zip(entries, offsets, strict=True)}
    constants = {delay - own[place] if place in own else None for place, delay in seen}
    constant = constants.pop()
    return _Delays(constant, own) if constant is not None and not constants else None


def _first_packets(container: InputContainer, track: Track) -> list[Packet[Stream]]:
    """Those of the beginning that have both times: one of a sound track, of pictures enough to see their order."""
    try:
        container.seek(0, stream=track)
        packets = list(islice(container.demux(track), _LOOKED_AT_PACKETS if isinstance(track, VideoStream) else 1))
    except FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        return []
    return [packet for packet in packets if packet.pts is not None and packet.dts is not None]


def _heard_from(packet: Packet[Stream]) -> int | None:
    """Where the sound of a track's first packet begins: what an encoder put before it is not played."""
    if packet.pts is None or not packet.has_sidedata("skip_samples") or not isinstance(packet.stream, AudioStream):
        return None
    samples = int.from_bytes(bytes(packet.get_sidedata("skip_samples"))[:4], "little")
    return packet.pts + round(samples / (packet.stream.sample_rate * packet.time_base))


def by_reading(container: InputContainer, wanted: Sequence[Track]) -> dict[int, Timeline]:
    """By demuxing the whole of a newly opened file, for containers whose index does not name every sample. Keyed by track
    index; only that counts in `wanted`, whose streams may be of another container of the same file."""
    read = {track.index: _Read() for track in wanted}
    for packet in container.demux(*(container.streams[track.index] for track in wanted)):
        if packet.size:
            read[packet.stream.index].add(packet)
    return {track.index: read[track.index].timeline(track) for track in wanted if track.time_base is not None}


class _Read:
    """What the packets of one track say. Those that an edit list leaves out are not shown. Pictures without a time come before
    the first that has one, and count back from it: Matroska tells no times below 0. A key picture among them is told only
    where it is the first: nobody can seek to the others."""

    def __init__(self) -> None:
        self._times: list[int] = []
        self._keyframes: list[int] = []
        self._last = self._untimed = 0
        self._timed = self._begins_with_key = False
        self._heard_from: int | None = None

    def add(self, packet: Packet[Stream]) -> None:
        if not self._timed and packet.dts is not None:
            self._timed, self._heard_from = True, _heard_from(packet)
        if packet.is_discard:
            return
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None:
            if not self._timed:
                self._begins_with_key = self._begins_with_key or (packet.is_keyframe and not self._untimed)
                self._untimed += 1
            return
        self._times.append(time)
        self._last = packet.duration or 0
        if packet.is_keyframe:
            self._keyframes.append(time)

    def timeline(self, track: Track) -> Timeline:
        time_base = track.time_base or Fraction(1)
        line = _timeline(time_base, self._times, self._keyframes, last=self._last).beginning(self._heard_from)
        if not self._untimed or not self._times or not isinstance(track, VideoStream):
            return line
        start = line.start - round(self._untimed / (frame_rate(track, line) * time_base))
        keyframes = (start, *line.keyframes) if self._begins_with_key else line.keyframes
        return replace(line, start=start, samples=line.samples + self._untimed, keyframes=keyframes)


def frame_rate(track: VideoStream, line: Timeline) -> float:
    """Pictures a second: the container's exact figure where the gaps are even, else the rate that most gaps have."""
    if line.variable or not track.average_rate:
        return 1 / line.usual_step_s if line.usual_step_s else 1.0
    return float(track.average_rate)


def _timeline(
    time_base: Fraction, times: list[int], keyframes: list[int], *, last: int | None, present: float = 1.0
) -> Timeline:
    if not times:
        return Timeline(time_base, 0, 0, 0, (), (), present)
    times.sort()  # packets come in decoding order
    steps = tuple(later - earlier for earlier, later in pairwise(times) if later > earlier)
    final = last or (int(median(steps)) if steps else 0)
    return Timeline(time_base, times[0], times[-1] + final, len(times), tuple(sorted(keyframes)), steps, present)
