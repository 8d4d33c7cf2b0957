"""Whether a clip has captions, and as what its manifests offer them."""

from __future__ import annotations

from dataclasses import dataclass

from clipstream.transcode.manifests.labels import language

FILE = "captions.vtt"
"""Beside the playlists; speech to text writes it."""


@dataclass(frozen=True, slots=True)
class Captions:
    """What was said, as one WebVTT file over the whole clip. `language` is a BCP 47 tag where it is known."""

    language: str | None = None
    name: str = "Captions"


def captions_of(segments: int, spoken: str | None) -> Captions | None:
    """None where nothing was said: an empty choice in a player's menu helps nobody."""
    return Captions(language(spoken)) if segments else None
