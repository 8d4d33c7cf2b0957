"""The options and arguments that several commands have, and how their text is read."""

from __future__ import annotations

import re
import sys
from typing import Annotated
from uuid import UUID

import typer

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def duration_s(text: str) -> int:
    """`90`, `90s`, `30m`, `12h`, `7d`, `2w`."""
    match = re.fullmatch(r"(\d{1,9})([smhdw]?)", text.strip().lower(), re.ASCII)
    if match is None or not int(match[1]):
        raise typer.BadParameter(f"{text!r} is no time like 30m, 12h or 7d")
    return int(match[1]) * _UNITS_S[match[2] or "s"]


def position_s(text: str) -> float:
    """`83.5`, `1:23.5`, `1:02:03`."""
    parts = text.strip().split(":")
    if len(parts) > 3 or not all(re.fullmatch(r"\d{1,6}(\.\d+)?", part, re.ASCII) for part in parts):
        raise typer.BadParameter(f"{text!r} is no place like 83.5 or 1:23")
    seconds = 0.0
    for part in parts:
        seconds = seconds * 60 + float(part)
    return seconds


def secret(text: str) -> str:
    """As given, or `-`: the first line of standard input, where nobody sees it in the list of processes."""
    return sys.stdin.readline().rstrip("\r\n") if text == "-" else text


Server = Annotated[
    str | None,
    typer.Option("--server", envvar="CLIPSTREAM_SERVER", help="Its address; by default the one logged in to last."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]
InStream = Annotated[
    str | None, typer.Option("--stream", "-s", help="A stream's name or id; not needed by who has only one.")
]
VideoId = Annotated[UUID, typer.Argument(metavar="VIDEO", help="A video's id.", show_default=False)]
