"""Judges a WebVTT file (W3C WebVTT, and RFC 8216bis 3.1.4 where it is an HLS segment)."""

from __future__ import annotations

import re
from fractions import Fraction

from validators.finding import Finding, Report

_TIME = r"(?:(\d{2,}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_CUE = re.compile(rf"{_TIME}[ \t]+-->[ \t]+{_TIME}(?:[ \t]+\S.*)?")
_MAP = re.compile(rf"X-TIMESTAMP-MAP=(?:MPEGTS:\d+,LOCAL:{_TIME}|LOCAL:{_TIME},MPEGTS:\d+)")


def check_webvtt(where: str, data: bytes, *, segment: bool) -> list[Finding]:
    """`segment`: it is played by HLS, so that its clock has to be mapped."""
    report = Report(where)
    try:
        text = data.decode().removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        report.check(False, "WebVTT 4.1", "the file is not UTF-8")
        return report.findings
    head, _, rest = text.partition("\n\n")
    first, *more = head.split("\n")
    report.check(re.fullmatch(r"WEBVTT([ \t].*)?", first), "WebVTT 4.1", f"it begins with {first[:20]!r}")
    maps = [line for line in more if line.startswith("X-TIMESTAMP-MAP")]
    report.check(not any("-->" in line for line in more), "WebVTT 4.1", "no empty line before the first cue")
    if segment:
        mapped = len(maps) == 1 and _MAP.fullmatch(maps[0])
        report.check(mapped, "RFC 8216bis 3.1.4", f"not one well-formed X-TIMESTAMP-MAP: {maps}")
    last = Fraction(0)
    for block in re.split(r"\n{2,}", rest.strip("\n")):
        if block and not re.match(r"(NOTE|STYLE|REGION)([ \t\n]|$)", block):
            last = _check_cue(report, block.split("\n"), last)
    return report.findings


def _check_cue(report: Report, lines: list[str], last: Fraction) -> Fraction:
    """Answers with where the cue starts; cues stand in that order."""
    timing = next((number for number, line in enumerate(lines[:2]) if "-->" in line), None)
    match = _CUE.fullmatch(lines[timing]) if timing is not None else None
    if not match or timing is None:
        report.check(False, "WebVTT 4.1", f"a block that is no cue: {lines[0][:60]!r}")
        return last
    start, end = _seconds(match.groups()[:4]), _seconds(match.groups()[4:])
    report.check(start < end, "WebVTT 4.1", f"the cue at {float(start)} s ends before it starts")
    report.check(start >= last, "WebVTT 4.1", f"the cue at {float(start)} s stands behind a later one")
    payload = lines[timing + 1 :]
    report.check(not any("-->" in line for line in payload), "WebVTT 4.1", "an arrow in a cue's text")
    loose = any(re.search(r"&(?!(?:amp|lt|gt|lrm|rlm|nbsp|#\d+|#x[0-9a-fA-F]+);)", line) for line in payload)
    report.check(not loose, "WebVTT 4.2.2", f"a bare & in the cue at {float(start)} s")
    return start


def _seconds(parts: tuple[str | None, ...]) -> Fraction:
    hours, minutes, whole, thousandths = (int(part or 0) for part in parts)
    return Fraction(3600 * hours + 60 * minutes + whole) + Fraction(thousandths, 1000)
