"""WebVTT, as the speech stage writes it, turned into SubRip, plain text and seconds."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

LIMIT_BYTES = 4 << 20
_TIMES = re.compile(r"^((?:\d{2,}:)?\d{2}:\d{2}\.\d{3})[ \t]+-->[ \t]+((?:\d{2,}:)?\d{2}:\d{2}\.\d{3})")
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class Cue:
    """Text from `start` to `end`, both as WebVTT writes times."""

    start: str
    end: str
    text: str

    @property
    def start_s(self) -> float:
        return _seconds(self.start)

    @property
    def end_s(self) -> float:
        return _seconds(self.end)


def cues(vtt: str) -> list[Cue]:
    """The cues of a WebVTT file; notes, styles and regions are left out."""
    found = []
    for block in re.split(r"\n\s*\n", vtt.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.strip("\n").split("\n")
        for index, line in enumerate(lines[:2]):  # a cue may have a name on its first line
            if match := _TIMES.match(line):
                text = "\n".join(html.unescape(_TAG.sub("", text)) for text in lines[index + 1 :])
                found.append(Cue(match[1], match[2], text.strip()))
                break
    return found


def srt(vtt: str) -> str:
    """SubRip: numbered cues, hours always written, a comma before the milliseconds."""
    return "\n".join(
        f"{number}\n{_srt_time(cue.start)} --> {_srt_time(cue.end)}\n{cue.text}\n"
        for number, cue in enumerate(cues(vtt), start=1)
    )


def plain(vtt: str) -> str:
    """What was said, a line for each cue."""
    return "".join(f"{' '.join(cue.text.split())}\n" for cue in cues(vtt) if cue.text)


def _srt_time(time: str) -> str:
    return (time if time.count(":") == 2 else f"00:{time}").replace(".", ",")


def _seconds(time: str) -> float:
    hours, minutes, seconds = ("0", *time.split(":"))[-3:]
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
