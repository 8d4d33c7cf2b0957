"""From the samples of a clip's tracks to what a player offers: each track on its own, and the mix of several."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from clipstream.common.contracts.media import AudioTrack
from clipstream.transcode.cmaf.segments import Emit
from clipstream.transcode.made import Track
from clipstream.transcode.planned import Plan, init_file, segment_file
from clipstream.transcode.sound.lane import CHANNELS, SoundLane
from clipstream.transcode.sound.menu import boundaries, labelled, offered
from clipstream.transcode.sound.mix import Mixer
from clipstream.transcode.sound.samples import SAMPLE_RATE, Samples

ONLY = "audio"
"""The name of a clip's only sound track; of several, each has its number behind it, and the mix its own name."""

MIX = f"{ONLY}-mix"
_MIXED = AudioTrack(index=-1, codec="", sample_rate=SAMPLE_RATE, channels=CHANNELS, title="Mix")


class SoundTracks(Protocol):
    """Takes the tracks' samples piece by piece; `publish` hands over what is left when all lanes are closed."""

    def put(self, track: int, samples: Samples) -> None: ...

    def finish(self) -> None: ...

    def publish(self) -> tuple[Track, ...]: ...


class OneTrack:
    """A clip's only track: its files are handed over as they are complete."""

    def __init__(self, about: AudioTrack, plan: Plan, directory: Path, lanes: ExitStack, emit: Emit) -> None:
        self._about = about
        self._lane = lanes.enter_context(SoundLane(directory, ONLY, boundaries(plan), emit))

    def put(self, track: int, samples: Samples) -> None:
        self._lane.put(samples)

    def finish(self) -> None:
        """Nothing is held back."""

    def publish(self) -> tuple[Track, ...]:
        made = self._lane.track
        return labelled([(made, self._about)]) if made else ()


class SeveralTracks:
    """Several tracks and their mix. What to offer is known when all was heard, so all is encoded and kept till then, in files;
    a mix that a track already is, silence and copies are thrown away."""

    def __init__(self, about: Sequence[AudioTrack], plan: Plan, directory: Path, lanes: ExitStack, emit: Emit) -> None:
        self._about, self._directory, self._emit = about, directory, emit
        self._mixer = Mixer(len(about))
        self._mixed, *self._made = (
            lanes.enter_context(SoundLane(directory, name, boundaries(plan), _keep))
            for name in ("mixed", *(f"track-{number}" for number in range(len(about))))
        )

    def put(self, track: int, samples: Samples) -> None:
        self._made[track].put(samples)
        for mixed in self._mixer.add(track, samples):
            self._mixed.put(mixed)

    def finish(self) -> None:
        for mixed in self._mixer.finish():
            self._mixed.put(mixed)

    def publish(self) -> tuple[Track, ...]:
        numbers, has_mix = offered(self._mixer.likeness, [about.title for about in self._about])
        menu = [(made, self._about[number]) for number in numbers if (made := self._made[number].track)]
        if not has_mix and len(menu) > 1 and self._mixed.track:
            menu.insert(0, (self._mixed.track, _MIXED))
        names = [ONLY] if len(menu) == 1 else [MIX, *(f"{ONLY}-{number}" for number in range(1, len(menu)))]
        published = [(self._handed(made, name), about) for (made, about), name in zip(menu, names, strict=False)]
        for lane in (self._mixed, *self._made):
            self._throw_away(lane.track)
        return labelled(published)

    def _handed(self, made: Track, name: str) -> Track:
        """Under the name that it turned out to have."""
        (self._directory / made.init_file).rename(self._directory / init_file(name))
        self._emit(init_file(name))
        segments = []
        for number, segment in enumerate(made.segments):
            file = segment_file(name, number)
            (self._directory / segment.file).rename(self._directory / file)
            self._emit(file)
            segments.append(segment.model_copy(update={"file": file}))
        return made.model_copy(update={"name": name, "init_file": init_file(name), "segments": tuple(segments)})

    def _throw_away(self, made: Track | None) -> None:
        """What was not handed over."""
        for file in (made.init_file, *(segment.file for segment in made.segments)) if made else ():
            (self._directory / file).unlink(missing_ok=True)


def _keep(file: Path) -> None:
    """Complete, but not known to be wanted."""
