"""Words that came with an upload, made fit to stand in a manifest: names of tracks, and their languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from clipstream.transcode.made import Track
from clipstream.transcode.manifests.languages import SHORT

_LONGEST = 60
_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}")

# A quoted string of a playlist has no way to escape a quote (RFC 8216bis, 4.2), and braces begin a variable there (4.3).
_UNFIT = str.maketrans({'"': "'", "{": "(", "}": ")"})


def label(text: str | None) -> str:
    """`text` on one line and at most 60 characters long, without anything that a reader of playlists or XML could take for
    an end: quotes, line breaks of any alphabet, control and format characters, lone surrogates. May be empty."""
    spaced = " ".join((text or "").split())
    shown = "".join(each for each in spaced if unicodedata.category(each)[0] != "C")
    return " ".join(shown.translate(_UNFIT)[:_LONGEST].split())


def sound_names(sounds: Sequence[Track]) -> list[str]:
    """A name for each track, no two alike: its title, or what it is among the others."""
    names: list[str] = []
    for number, sound in enumerate(sounds):
        wanted = label(sound.title) or _untitled(sounds, number)
        name, again = wanted, 2
        while name in names:
            name, again = f"{wanted} ({again})", again + 1
        names.append(name)
    return names


def default_sound(sounds: Sequence[Track]) -> int:
    """Which one plays unasked; exactly one does."""
    return next((number for number, sound in enumerate(sounds) if sound.default), 0)


def language(tag: str | None) -> str | None:
    """A BCP 47 tag, or None where nothing is known. Containers name languages by three letters (ISO 639-2), BCP 47 wants
    the two of ISO 639-1 where there are any."""
    if tag is None or not _TAG.fullmatch(tag):
        return None
    primary, *rest = tag.split("-")
    primary = SHORT.get(primary.lower(), primary.lower())
    return None if primary in ("und", "mul", "zxx", "mis") else "-".join([primary, *rest])


def _untitled(sounds: Sequence[Track], number: int) -> str:
    default = default_sound(sounds)
    if number == default:
        return "Main" if len(sounds) == 1 else "Mix"
    return f"Track {number + (1 if number < default else 0)}"
