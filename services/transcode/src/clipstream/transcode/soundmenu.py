"""Which sound tracks a player offers, in which order, by which names, and where their segments begin. Pure facts.

Somebody who opens the menu wants to choose: silent tracks and copies of others would be choices that change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

from clipstream.common.contracts.media import AudioTrack
from clipstream.transcode.likeness import Likeness
from clipstream.transcode.made import Track
from clipstream.transcode.planned import Plan
from clipstream.transcode.segments import every

MOST_TITLE = 60

_MEANS_MIX = frozenset({"mix", "mixed", "mixdown", "master", "everything", "combined", "all"})
_BESIDE = frozenset(
    {"full", "stream", "final", "output", "the", "track", "tracks", "audio", "sound", "sounds", "sources"}
)
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


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
    """The tracks with their titles and languages. The first one is the default. No two have the same title: players find
    tracks by it (RFC 8216bis, NAME)."""
    taken: set[str] = set()
    done = []
    for number, (track, about) in enumerate(tracks):
        title = _unlike(clean(about.title), taken)
        language = about.language if about.language and _LANGUAGE.fullmatch(about.language) else None
        language = None if language in ("und", "mul", "zxx", "mis") else language
        done.append(track.model_copy(update={"title": title, "language": language, "default": number == 0}))
    return tuple(done)


def clean(title: str | None) -> str | None:
    """One line that may stand between quotation marks, at most 60 characters; None where nothing is left."""
    shown = "".join(character for character in title or "" if character.isprintable() and character != '"')
    return " ".join(shown.split())[:MOST_TITLE].strip() or None


def _unlike(title: str | None, taken: set[str]) -> str | None:
    if title is None:
        return None
    free, number = title, 2
    while free in taken:
        free, number = f"{title} {number}", number + 1
    taken.add(free)
    return free


def boundaries(plan: Plan) -> Iterator[Fraction]:
    """Where segments should begin, in seconds: with those of a copied picture, else at equal distances."""
    video = plan.source.video
    if plan.source.ladder and video is not None:
        starts = (Fraction(segment.start, video.timescale) for segment in video.segments)
        return (start for start in list(starts) if start > 0)
    return every(Fraction(plan.segment_s).limit_denominator(1_000_000))
