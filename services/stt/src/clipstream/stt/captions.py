"""A transcript as WebVTT: https://www.w3.org/TR/webvtt1/. It is an HLS segment, too: RFC 8216bis, 3.1.4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from clipstream.common.contracts.documents import Segment, Word

MAX_CHARACTERS = 84  # two lines of 42, the usual reading bound
MAX_SECONDS = 6.0

_HEADER = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n"
"""A cue's clock is the clip's own, which begins at 0. Without the second line hls.js holds cues back until it has seen
pictures, and moves them by what those begin at."""


def to_webvtt(segments: Iterable[Segment]) -> str:
    """Cues of at most two lines and six seconds, cut between words."""
    cues = [cue for segment in segments for cue in _cues(segment)]
    body = "\n".join(f"{_clock(start)} --> {_clock(end)}\n{_escape(text)}\n" for start, end, text in cues)
    return f"{_HEADER}\n{body}" if body else _HEADER


def _cues(segment: Segment) -> Iterator[tuple[float, float, str]]:
    if not segment.words:
        yield segment.start_s, segment.end_s, segment.text.strip()
        return
    run: list[Word] = []
    for word in segment.words:
        if run and (len(_text([*run, word])) > MAX_CHARACTERS or word.end_s - run[0].start_s > MAX_SECONDS):
            yield run[0].start_s, run[-1].end_s, _text(run)
            run = []
        run.append(word)
    yield run[0].start_s, run[-1].end_s, _text(run)


def _text(words: Sequence[Word]) -> str:
    return "".join(word.text for word in words).strip()


def _clock(seconds: float) -> str:
    milliseconds = max(0, round(seconds * 1000))
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
