"""The part of a plan that is all sound: every track of the clip, each on its own, and their mix. One pass over the file.

Pure: reads one file object, writes files into one directory, answers with plain facts. Runs in a caged child process.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

from clipstream.common.contracts.media import AudioTrack
from clipstream.common.media.decode import Decoder
from clipstream.common.media.open import open_media, tracks
from clipstream.transcode.made import PartMade, Track
from clipstream.transcode.mix import Mixer
from clipstream.transcode.planned import Plan
from clipstream.transcode.segments import Emit, every
from clipstream.transcode.sound import SAMPLE_RATE, Samples, Soundtrack
from clipstream.transcode.soundlane import SoundLane
from clipstream.transcode.soundmenu import choose, described, renamed

MOST_TRACKS = 8
"""Recorders make up to six. Each costs an encoder, and a file may claim dozens."""

ONLY = "audio"
"""The name of a clip's only sound track; of several, each has its number behind it, and the mix its own name."""
MIX = f"{ONLY}-mix"


def encode_sound(
    source: BinaryIO, *, scratch: Path, plan: Plan, emit: Emit, progress: Callable[[float], None]
) -> PartMade:
    """Encode all sound of the clip in `source`; nothing where it has none that can be decoded or the plan wants none.

    Of several tracks the mix is the default. One that already is the mix of the others is taken as it is. Tracks without a
    sound and copies of others are left out: in a player's menu they would only be choices that change nothing. So of several
    tracks files are handed over at the end, when that is known; they wait in `scratch`, 16 kB for each second.
    """
    listed = plan.media.audio if plan.sound else ()
    if not listed:
        return PartMade(tracks=())
    with open_media(source) as container:
        heard = _chosen(container, listed)
        if not heard:
            return PartMade(tracks=())
        making = _One(scratch, plan, emit) if len(heard) == 1 else _Several(scratch, plan, emit, len(heard))
        _decode(container, heard, plan, making, progress)
        return PartMade(tracks=making.finish([about for _, about in heard]))


Heard = list[tuple[AudioStream, AudioTrack]]


def _chosen(container: InputContainer, listed: tuple[AudioTrack, ...]) -> Heard:
    """The streams to be decoded, and what the probe said of each. The demuxer passes over all others."""
    known = {about.index: about for about in listed}
    heard = [(stream, known[stream.index]) for stream in tracks(container).audio if stream.index in known]
    heard = heard[:MOST_TRACKS]
    wanted = {stream.index for stream, _ in heard}
    for stream in container.streams:
        if stream.index not in wanted:
            stream.discard = "all"
    return heard


class _Making(ABC):
    """Takes the tracks' samples piece by piece."""

    def __init__(self, scratch: Path, plan: Plan, emit: Emit) -> None:
        self._scratch, self._plan, self._emit = scratch, plan, emit

    @abstractmethod
    def put(self, track: int, samples: Samples) -> None: ...

    @abstractmethod
    def finish(self, about: list[AudioTrack]) -> tuple[Track, ...]: ...

    def _lane(self, name: str, emit: Emit) -> SoundLane:
        return SoundLane(self._scratch, name, boundaries(self._plan), emit)


class _One(_Making):
    """A clip's only track: files are handed over as they are complete."""

    def __init__(self, scratch: Path, plan: Plan, emit: Emit) -> None:
        super().__init__(scratch, plan, emit)
        self._made = self._lane(ONLY, emit)

    def put(self, track: int, samples: Samples) -> None:
        self._made.put(samples)

    def finish(self, about: list[AudioTrack]) -> tuple[Track, ...]:
        made = self._made.finish()
        return described([(made, about[0])]) if made else ()


class _Several(_Making):
    """Several tracks and their mix, which waits for nobody's verdict: it is encoded along and thrown away if not needed."""

    def __init__(self, scratch: Path, plan: Plan, emit: Emit, count: int) -> None:
        super().__init__(scratch, plan, emit)
        self._mixer = Mixer(count)
        self._mixed = self._lane("mixed", _kept)
        self._made = [self._lane(f"track-{number}", _kept) for number in range(count)]

    def put(self, track: int, samples: Samples) -> None:
        self._made[track].put(samples)
        for mixed in self._mixer.add(track, samples):
            self._mixed.put(mixed)

    def finish(self, about: list[AudioTrack]) -> tuple[Track, ...]:
        for mixed in self._mixer.finish():
            self._mixed.put(mixed)
        made, mixed = [lane.finish() for lane in self._made], self._mixed.finish()
        menu = choose(self._mixer.likeness, [each.title for each in about])
        mine = [(track, about[number]) for number in menu.tracks if (track := made[number])]
        if menu.mix is None and len(mine) > 1 and mixed:
            mine.insert(0, (mixed, _MIXED))
        names = [ONLY] if len(mine) == 1 else [MIX, *(f"{ONLY}-{n}" for n in range(1, len(mine)))]
        published = [renamed(track, name, self._scratch) for (track, _), name in zip(mine, names, strict=True)]
        for track in published:
            for file in (track.init_file, *(segment.file for segment in track.segments)):
                self._emit(file)
        return described([(track, facts) for track, (_, facts) in zip(published, mine, strict=True)])


_MIXED = AudioTrack(index=-1, codec="", sample_rate=SAMPLE_RATE, channels=2, title="Mix")


def _kept(file: Path) -> None:
    """Complete, but not yet known to be wanted."""


def boundaries(plan: Plan) -> Iterator[Fraction]:
    """Where segments should begin: with those of a copied picture, else at equal distances."""
    video = plan.source.video
    if plan.source.ladder and video is not None:
        starts = (Fraction(segment.start, video.timescale) for segment in video.segments)
        return iter([start for start in starts if start > 0])
    return every(Fraction(plan.segment_s).limit_denominator(1_000_000))


def _decode(
    container: InputContainer, heard: Heard, plan: Plan, making: _Making, progress: Callable[[float], None]
) -> None:
    laid = [Soundtrack(plan.origin_s, plan.max_duration_s) for _ in heard]
    number_of = {stream.index: number for number, (stream, _) in enumerate(heard)}
    told = _Told(plan.duration_s, progress)
    decoder = Decoder(container, [stream for stream, _ in heard])
    for stream_index, frame in decoder.frames():
        number = number_of[stream_index]
        for samples in laid[number].add(frame):
            making.put(number, samples)
        told.reached(laid[number].length / SAMPLE_RATE)
        if all(track.full for track in laid):
            break
    for number, track in enumerate(laid):
        for samples in track.finish():
            making.put(number, samples)
