"""Judges a whole published output: both manifests, every segment, and what public parsers read in it."""

from __future__ import annotations

import m3u8
from mpegdash.parser import MPEGDASHParser

from validators.dash import Manifest, check_dash
from validators.finding import Finding, Read, Report, remembered
from validators.hls import Presentation, check_hls


def check_output(read: Read, master: str = "master.m3u8", mpd: str | None = "manifest.mpd") -> list[Finding]:
    """Everything found, notes among them; `faults` leaves those out. What is provisional has no `mpd`."""
    read = remembered(read)
    presentation, findings = check_hls(read, master)
    if mpd is None:
        return list(dict.fromkeys(findings + _check_parsed_hls(read, master, presentation)))
    manifest, more = check_dash(read, mpd)
    alike = _check_alike(presentation, manifest)
    parsed = _check_parsed_hls(read, master, presentation) + _check_parsed_dash(read, mpd, manifest)
    return list(dict.fromkeys(findings + more + alike + parsed))


def _check_alike(presentation: Presentation, manifest: Manifest) -> list[Finding]:
    """Both lead to the same tracks (ISO/IEC 23000-19: one set of segments)."""
    report = Report("HLS and DASH")
    ours = {media.facts.init: [file.name for file in media.facts.files] for media in presentation.media}
    theirs = {track.facts.init: [file.name for file in track.facts.files] for track in manifest.tracks}
    report.check(
        ours == theirs, "ISO/IEC 23000-19 6", f"they name different segments: {sorted(ours)}, {sorted(theirs)}"
    )
    report.check(
        len(presentation.captions) == manifest.captions,
        "ISO/IEC 23000-19 6",
        "captions are in one of the two manifests only",
    )
    return report.findings


def _check_parsed_hls(read: Read, master: str, presentation: Presentation) -> list[Finding]:
    report, rule = Report(master), "the parser m3u8"
    try:
        parsed = m3u8.loads(read(master).decode())
        names = [playlist.uri for playlist in parsed.playlists]
        names += [media.uri for media in parsed.media] + [one.uri for one in parsed.iframe_playlists]
    except (FileNotFoundError, ValueError, KeyError, m3u8.ParseError) as error:
        report.check(False, rule, f"cannot be read: {error}")
        return report.findings
    told = len(presentation.variants), sum(map(len, presentation.groups.values())), len(presentation.pictures)
    read_by = len(parsed.playlists), len(parsed.media), len(parsed.iframe_playlists)
    report.check(told == read_by, rule, f"finds {read_by} variants, media and I-frame playlists, we {told}")
    for media in presentation.media:
        listed = m3u8.loads(read(media.name).decode())
        report.check(len(listed.segments) == len(media.facts.files), rule, f"finds other segments in {media.name}")
        off = abs(sum(segment.duration for segment in listed.segments) - float(media.facts.duration_s))
        report.check(off < 0.01, rule, f"finds {media.name} {off:.3f} s off its samples")
    return report.findings


def _check_parsed_dash(read: Read, mpd: str, manifest: Manifest) -> list[Finding]:
    report, rule = Report(mpd), "the parser mpegdash"
    try:
        parsed = MPEGDASHParser.parse(read(mpd).decode())
        [period] = parsed.periods
        sets = period.adaptation_sets or []
        count = sum(len(one.representations or []) for one in sets)
    except Exception as error:  # it stumbles in many ways
        report.check(False, rule, f"cannot be read: {error}")
        return report.findings
    told = (manifest.adaptations, len(manifest.tracks) + manifest.captions)
    report.check((len(sets), count) == told, rule, f"finds {len(sets)} sets of {count} tracks, we {told}")
    return report.findings
