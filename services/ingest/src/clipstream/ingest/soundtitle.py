"""What a recorder called a sound track. Matroska has a title; MP4 has a name, and a handler that is mostly a program's."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PROGRAMS = re.compile(
    r"handle|core media|iso media|gpac|mainconcept|produced by|quicktime|^(soun|sound|audio|stereo|mono|surround|aac)$",
    re.IGNORECASE,
)
"""Handlers that programs write into every file: "SoundHandler", "Core Media Audio", "Apple Sound Media Handler"."""


def title(tags: Mapping[str, str]) -> str | None:
    """The title in a track's tags; None where nobody gave it one."""
    handler = tags.get("handler_name", "").strip()
    given = (tags.get("title"), tags.get("name"), None if _PROGRAMS.search(handler) else handler)
    return next((text for text in given if text and text.strip()), None)
