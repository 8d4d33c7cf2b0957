"""Judges one track's initialisation segment and media segments: ISO/IEC 14496-12, 14496-15 and CMAF (23000-19)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from validators import avc
from validators.finding import Finding, Read, Report
from validators.header import Header, header
from validators.isobmff import Box, Fragment, Malformed, Sample, boxes, fragment

_UPRIGHT = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_BESIDE = {"styp", "sidx", "prft", "emsg", "free"}
_REORDERED = 16
"""H.264 holds back at most as many pictures as its buffer has (14496-10, A.3.1)."""
_BROKEN = (Malformed, IndexError, struct.error)


@dataclass(frozen=True, slots=True)
class MediaFile:
    """One media segment, its times in the track's timescale."""

    name: str
    size: int
    fragments: tuple[Fragment, ...]

    @property
    def start(self) -> int:
        return self.fragments[0].start

    @property
    def duration(self) -> int:
        return sum(part.duration for part in self.fragments)


@dataclass(frozen=True, slots=True)
class TrackFacts:
    """What the bytes of a whole track say."""

    init: str
    header: Header
    files: tuple[MediaFile, ...]

    @property
    def samples(self) -> Iterator[Sample]:
        return (sample for file in self.files for part in file.fragments for sample in part.samples)

    @property
    def duration_s(self) -> Fraction:
        return Fraction(sum(file.duration for file in self.files), self.header.timescale)

    @property
    def starts_s(self) -> list[Fraction]:
        return [Fraction(file.start, self.header.timescale) for file in self.files]

    @property
    def frame_s(self) -> Fraction:
        """The longest a sample lasts."""
        return Fraction(max((sample.duration for sample in self.samples), default=0), self.header.timescale)

    @property
    def even(self) -> bool:
        """All samples last equally long; the last one may be cut."""
        return len({sample.duration for sample in list(self.samples)[:-1]}) <= 1

    @property
    def rate(self) -> Fraction:
        """Samples a second: exact where they are even, else on average."""
        samples = list(self.samples)
        return Fraction(self.header.timescale, samples[0].duration) if self.even else len(samples) / self.duration_s


def check_track(read: Read, init: str, names: Sequence[str]) -> tuple[TrackFacts | None, list[Finding]]:
    """Facts and findings of one track; no facts where the bytes cannot be read at all."""
    report = Report(init)
    try:
        head = header(read(init))
    except FileNotFoundError:
        report.check(False, "RFC 8216bis 4.4.4.5", "the initialisation segment is missing")
        return None, report.findings
    except _BROKEN as error:
        report.check(False, "ISO/IEC 14496-12 4.2", str(error) or "cut short")
        return None, report.findings
    _check_header(report, head)
    files, findings = [], report.findings
    for name in names:
        file, found = _check_file(read, name, head)
        findings += found
        if file is None:
            return None, findings
        files.append(file)
    if not files:
        return None, [*findings, Finding(init, "ISO/IEC 23000-19 7.3.2", "no media segments")]
    facts = TrackFacts(init, head, tuple(files))
    return facts, findings + _check_timeline(facts)


def _check_header(report: Report, head: Header) -> None:
    report.check({"cmfc", "cmf2"} & set(head.brands), "ISO/IEC 23000-19 7.2", f"no CMAF brand among {head.brands}")
    report.check({f"iso{n}" for n in "6789"} & set(head.brands), "ISO/IEC 23000-19 7.2", "no brand iso6 or later")
    report.check(head.extends == (head.track_id,), "ISO/IEC 14496-12 8.8.3", f"trex names tracks {head.extends}")
    report.check(head.samples_in_header == 0, "ISO/IEC 23000-19 7.3.1", "the header holds samples")
    report.check(head.timescale > 0, "ISO/IEC 14496-12 8.4.2", "the timescale is 0")
    report.check(head.codec, "RFC 6381 3", f"no known codec in the sample entry {head.entry}")
    if head.handler == "vide":
        _check_picture_header(report, head)
    else:
        report.check(head.handler == "soun", "ISO/IEC 14496-12 8.4.3", f"a track of {head.handler}")
        report.check(head.channels and head.sample_rate, "ISO/IEC 14496-3 1.6.2.1", "no channels or no sample rate")
        skips = len(head.edits) <= 1 and all(edit.media_time >= 0 for edit in head.edits)
        report.check(skips, "ISO/IEC 23000-19 7.5.13", f"more than one skip of media in the edit list: {head.edits}")


def _check_picture_header(report: Report, head: Header) -> None:
    across, down = head.pixel_aspect or (1, 1)
    shown = (Fraction(head.width * across, down), Fraction(head.height))
    told = (head.shown_width, head.shown_height)
    near = all(abs(a - b) < 1 for a, b in zip(shown, told, strict=True))
    report.check(near, "ISO/IEC 14496-12 8.3.2", f"tkhd shows {told}, the samples are {shown}")
    report.check(head.matrix == _UPRIGHT, "ISO/IEC 23000-19 7.5.4", "tkhd turns or scales the picture")
    report.check(not head.edits, "ISO/IEC 23000-19 7.7 (cmf2)", f"an edit list in video: {head.edits}")
    if head.avc is None:
        return
    report.check(head.avc.sps and head.avc.pps, "ISO/IEC 14496-15 5.3.3.1", "no parameter sets in avcC")
    for nal in head.avc.sps:
        told_by = avc.sequence(nal)
        same = (told_by.profile, told_by.compatibility, told_by.level)
        own = (head.avc.profile, head.avc.compatibility, head.avc.level)
        report.check(same == own, "ISO/IEC 14496-15 5.3.3.1.2", f"avcC says profile {own}, the pictures {same}")
        size = (told_by.width, told_by.height)
        report.check(size == (head.width, head.height), "ISO/IEC 14496-15 5.4.2.1", f"the pictures are {size}")
        plain = (told_by.chroma, told_by.depth) == (1, 8) and not told_by.interlaced
        report.check(plain, "Apple HLS authoring 1.x", f"pictures that browsers do not play: {told_by}")
        alike = not (head.colour and told_by.colour) or head.colour == told_by.colour
        report.check(alike, "ISO/IEC 14496-12 12.1.5", f"colr says {head.colour}, the pictures {told_by.colour}")


def _check_file(read: Read, name: str, head: Header) -> tuple[MediaFile | None, list[Finding]]:
    report = Report(name)
    try:
        data = read(name)
        file = MediaFile(name, len(data), tuple(_fragments(report, data, head)))
        if not report.check(file.fragments, "ISO/IEC 23000-19 7.3.2.3", "no moof"):
            return None, report.findings
        for part in file.fragments:
            _check_fragment(report, data, part, head)
    except FileNotFoundError:
        report.check(False, "RFC 8216bis 4.4.4.1", "the segment is missing")
    except _BROKEN as error:
        report.check(False, "ISO/IEC 14496-12 4.2", str(error) or "cut short")
    else:
        return file, report.findings
    return None, report.findings


def _fragments(report: Report, data: bytes, head: Header) -> Iterator[Fragment]:
    waiting: Box | None = None
    for number, box in enumerate(boxes(data)):
        if box.kind == "styp":
            report.check(number == 0, "ISO/IEC 14496-12 8.16.2", "styp is not the first box")
        elif box.kind == "mdat" and waiting:
            yield fragment(waiting, box, head.defaults)
            waiting = None
        elif box.kind == "moof" and not waiting:
            waiting = box
        else:
            known = box.kind in _BESIDE and not waiting
            report.check(
                known, "ISO/IEC 23000-19 7.3.2.3", f"{box.kind} at byte {box.offset}, not moof and mdat in turn"
            )
    report.check(waiting is None, "ISO/IEC 23000-19 7.3.2.3", "a moof without its mdat")


def _check_fragment(report: Report, data: bytes, part: Fragment, head: Header) -> None:
    at = f"the fragment at byte {part.moof.offset}"
    report.check(part.track_id == head.track_id, "ISO/IEC 14496-12 8.8.7", f"{at} is of track {part.track_id}")
    from_moof = part.tfhd_flags & 0x020000 and not part.tfhd_flags & 0x01
    report.check(from_moof, "ISO/IEC 23000-19 7.5.16", f"{at} has no default-base-is-moof, or a base data offset")
    if not report.check(part.samples, "ISO/IEC 23000-19 7.3.2.3", f"{at} has no samples"):
        return
    body = part.mdat.offset + part.mdat.head
    first, held = part.samples[0], sum(sample.size for sample in part.samples)
    report.check(first.offset == body, "ISO/IEC 14496-12 8.8.8", f"{at}: data begins at {first.offset}, mdat at {body}")
    there = len(part.mdat.payload)
    report.check(
        held == there, "ISO/IEC 14496-12 8.8.8", f"{at}: its samples take {held} bytes, its mdat holds {there}"
    )
    report.check(first.sync, "ISO/IEC 23000-19 7.3.2.3", f"{at} begins with a sample that is no sync sample")
    report.check(
        all(sample.duration > 0 for sample in part.samples), "ISO/IEC 14496-12 8.8.8", f"{at} has samples of no length"
    )
    _check_shown(report, at, part)
    if head.avc and first.offset == body and held == there:
        for sample in part.samples:
            _check_picture(report, data, sample, head.avc)


def _check_shown(report: Report, at: str, part: Fragment) -> None:
    longest = max(sample.duration for sample in part.samples)
    shown = sorted(sample.shown for sample in part.samples)
    late = min(sample.composition for sample in part.samples)
    report.check(late >= 0 or part.run_version == 1, "ISO/IEC 14496-12 8.8.8", f"{at}: trun 0 has no negative offsets")
    report.check(late >= -_REORDERED * longest, "ISO/IEC 14496-12 8.8.8", f"{at} shows a sample {-late} too early")
    report.check(len(set(shown)) == len(shown), "ISO/IEC 14496-12 8.6.1.3", f"{at} shows two samples at once")
    off = shown[0] - part.start
    rule = "ISO/IEC 23000-19 7.5.16 (cmf2)"
    report.check(2 * abs(off) <= longest, rule, f"{at} is shown {off} ticks off its decode time {part.start}")
    inside = shown[-1] < part.start + part.duration + longest
    report.check(inside, rule, f"{at} shows a picture at {shown[-1]}, behind its end")


def _check_picture(report: Report, data: bytes, sample: Sample, config: avc.Config) -> None:
    at = f"the sample at byte {sample.offset}"
    units = list(avc.nal_units(data[sample.offset : sample.offset + sample.size], config.length_size))
    kinds = {unit[0] & 0x1F for unit in units}
    report.check(kinds & {avc.SLICE, avc.IDR}, "ISO/IEC 14496-15 5.2.2", f"{at} holds no picture")
    report.check(not kinds & {2, 3, 4}, "ISO/IEC 14496-10 A.2", f"{at} has data partitions")
    idr = avc.IDR in kinds
    if sample.sync and not idr:
        report.check(False, "ISO/IEC 14496-15 5.4.3", f"{at} is called a sync sample and is no IDR picture")
    if idr and not sample.sync:
        report.check(False, "ISO/IEC 14496-15 5.4.3", f"{at} is an IDR picture and not called a sync sample")
    report.check(not (idr and avc.SLICE in kinds), "ISO/IEC 14496-10 7.4.1.2.4", f"{at} mixes IDR and other slices")
    for unit in units:
        known = {avc.SPS: config.sps, avc.PPS: config.pps}.get(unit[0] & 0x1F)
        if known is not None and unit not in known:
            report.check(False, "ISO/IEC 14496-15 5.3.1", f"{at} brings a parameter set that avcC does not have")


def _check_timeline(facts: TrackFacts) -> list[Finding]:
    report = Report(facts.init)
    parts = [(file.name, part) for file in facts.files for part in file.fragments]
    for (_, earlier), (name, later) in pairwise(parts):
        end = earlier.start + earlier.duration
        what = f"{name}: tfdt {later.start} does not follow {end}"
        report.check(later.start == end, "ISO/IEC 23000-19 7.3.2.3", what)
    rising = all(later.sequence > earlier.sequence for (_, earlier), (_, later) in pairwise(parts))
    report.note(rising, "ISO/IEC 14496-12 8.8.5", "fragments are not numbered in rising order")
    return report.findings
