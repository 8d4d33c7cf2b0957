"""Which sound tracks a player offers, in which order, by which names, and where their segments begin. Pure facts.

Somebody who opens the menu wants to choose: silent tracks and copies of others would be choices that change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

from clipstream.common.contracts.media import AudioTrack
from clipstream.transcode.cmaf.segments import every
from clipstream.transcode.made import Track
from clipstream.transcode.manifests.labels import label, language
from clipstream.transcode.planned import Plan
from clipstream.transcode.sound.likeness import Likeness

_MEANS_MIX = frozenset({"mix", "mixed", "mixdown", "master", "everything", "combined", "all"})
_BESIDE = frozenset(
    {"full", "stream", "final", "output", "the", "track", "tracks", "audio", "sound", "sounds", "sources"}
)


def offered(likeness: Likeness, titles: Sequence[str | None]) -> tuple[list[int], bool]:
    """The numbers of the tracks to offer, and whether the first of them is the mix of all others: by its title, or by what
    was heard. Where nothing can be heard at all, the first track stands for all."""
    audible = set(likeness.audible())
    tracks = [track for track in likeness.originals() if track in audible] or [0]
    titled = (track for track in tracks if means_mix(titles[track]))
    mix = next(titled, None)
    if mix is None:
        mix = likeness.mix(tracks)
    if mix is None:
        return tracks, False
    return [mix, *(track for track in tracks if track != mix)], True


def means_mix(title: str | None) -> bool:
    """Whether a title says that its track holds everything: "Master", "Full Mix", "Track 1 (mix)", "All audio"."""
    words = set(re.findall(r"[^\W\d_]+", (title or "").lower()))
    return bool(words & _MEANS_MIX) and words <= _MEANS_MIX | _BESIDE


def labelled(tracks: Sequence[tuple[Track, AudioTrack]]) -> tuple[Track, ...]:
    """The tracks with their titles and languages as the source names them, cleaned. The first one is the default."""
    return tuple(
        track.model_copy(
            update={"title": label(about.title) or None, "language": language(about.language), "default": number == 0}
        )
        for number, (track, about) in enumerate(tracks)
    )


def boundaries(plan: Plan) -> Iterator[Fraction]:
    """Where segments should begin, in seconds: with those of a copied picture, else at equal distances."""
    video = plan.source.video
    if plan.source.ladder and video is not None:
        starts = (Fraction(segment.start, video.timescale) for segment in video.segments)
        return (start for start in list(starts) if start > 0)
    return every(Fraction(plan.segment_s).limit_denominator(1_000_000))
