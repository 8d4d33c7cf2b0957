"""Broken by hand, byte by byte: each must be found, by the rule it breaks."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from corpus.published import SMALL, write_output
from unit.validators.conftest import Files, found, found_with, reader
from validators import avc
from validators.boxes import check_track
from validators.finding import faults, read_directory
from validators.isobmff import Box, Malformed, boxes
from validators.output import check_output
from validators.rates import average, peak

SEGMENT, INIT = "144p-00000.m4s", "144p-init.mp4"
Edit = Callable[[bytes], bytes]


def place_of(data: bytes, *path: str, number: int = 0) -> tuple[Box, int]:
    """The box at a path of types (below the `number`th of the first), and where its payload begins."""
    box = [one for one in boxes(data) if one.kind == path[0]][number]
    for kind in path[1:]:
        skip = {"stsd": 8, "avc1": 78}.get(box.kind, 0)
        box = next(child for child in box.children(skip) if child.kind == kind)
    return box, box.offset + box.head


def with_u32(data: bytes, place: int, change: Callable[[int], int]) -> bytes:
    value = change(int.from_bytes(data[place : place + 4], "big")) & 0xFFFFFFFF
    return data[:place] + struct.pack(">I", value) + data[place + 4 :]


def edit_field(path: tuple[str, ...], place: int, change: Callable[[int], int], number: int = 0) -> Edit:
    return lambda data: with_u32(data, place_of(data, *path, number=number)[1] + place, change)


def renamed(path: tuple[str, ...], kind: bytes) -> Edit:
    def edit(data: bytes) -> bytes:
        start = place_of(data, *path)[0].offset
        return data[: start + 4] + kind + data[start + 8 :]

    return edit


def with_nal_kind(kind: int, becomes: int) -> Edit:
    """The first NAL unit of a kind in the first sample gets another type."""

    def edit(data: bytes) -> bytes:
        place = place_of(data, "mdat")[1]
        while data[place + 4] & 0x1F != kind:
            place += 4 + int.from_bytes(data[place : place + 4], "big")
        return data[: place + 4] + bytes([data[place + 4] & 0xE0 | becomes]) + data[place + 5 :]

    return edit


def with_edit_list(data: bytes) -> bytes:
    elst = struct.pack(">I4sIIIiI", 28, b"elst", 0, 1, 0, 512, 0x10000)
    edts = struct.pack(">I4s", 36, b"edts") + elst
    for offset in [place_of(data, *path)[0].offset for path in (("moov",), ("moov", "trak"))]:
        data = with_u32(data, offset, lambda size: size + len(edts))
    place = data.index(b"trak") + 4
    return data[:place] + edts + data[place:]


TRUN, TFDT, TFHD = ("moof", "traf", "trun"), ("moof", "traf", "tfdt"), ("moof", "traf", "tfhd")

SEGMENT_BREAKS: dict[str, tuple[Edit, str]] = {
    "first sample not sync": (
        edit_field(TRUN, 12, lambda flags: flags | 0x10000),
        "begins with a sample that is no sync",
    ),
    "second fragment not sync": (
        edit_field(TRUN, 12, lambda flags: flags | 0x10000, number=1),
        "is an IDR picture and not called a sync sample",
    ),
    "sync sample that is no IDR": (with_nal_kind(avc.IDR, avc.SLICE), "is called a sync sample and is no IDR"),
    "parameter set in band": (with_nal_kind(6, avc.SPS), "a parameter set that avcC does not have"),
    "hole in decode times": (edit_field(TFDT, 8, lambda time: time + 512, number=1), "does not follow"),
    "no tfdt": (renamed(TFDT, b"free"), "0 tfdt"),
    "no trun": (renamed(TRUN, b"free"), "0 trun"),
    "base is not moof": (edit_field(TFHD, 0, lambda flags: flags & ~0x020000), "no default-base-is-moof"),
    "another track": (edit_field(TFHD, 4, lambda number: number + 1), "is of track 2"),
    "data offset": (edit_field(TRUN, 8, lambda offset: offset + 4), "data begins at"),
    "sample size": (edit_field(TRUN, 16, lambda size: size + 1), "its mdat holds"),
    "unsigned composition": (edit_field(TRUN, 0, lambda flags: flags & 0xFFFFFF), "behind its end"),
    "two moofs": (lambda data: data + data[: place_of(data, "mdat")[0].offset], "a moof without its mdat"),
    "cut short": (lambda data: data[: len(data) // 2], "claims"),
    "one byte more": (lambda data: data + b"\0", "are no box"),
    "one fragment": (lambda data: data[: place_of(data, "moof", number=1)[0].offset], "does not follow"),
    "empty": (lambda data: b"", "no moof"),
}

ENTRY = ("moov", "trak", "mdia", "minf", "stbl", "stsd", "avc1")
INIT_BREAKS: dict[str, tuple[Edit, str]] = {
    "brand": (lambda data: data.replace(b"cmfc", b"xxxx"), "no CMAF brand"),
    "no mvex": (renamed(("moov", "mvex"), b"free"), "no mvex/trex"),
    "trex of another track": (edit_field(("moov", "mvex", "trex"), 4, lambda number: 7), "trex names tracks"),
    "shown size": (edit_field(("moov", "trak", "tkhd"), 76, lambda width: width // 2), "tkhd shows"),
    "coded size": (edit_field(ENTRY, 24, lambda size: size + (2 << 16)), "the pictures are (256, 144)"),
    "turned": (edit_field(("moov", "trak", "tkhd"), 40, lambda a: 0), "tkhd turns"),
    "edit list": (with_edit_list, "an edit list in video"),
    "profile": (edit_field((*ENTRY, "avcC"), 0, lambda bits: bits ^ 0x0400), "avcC says profile"),
    "no avcC": (renamed((*ENTRY, "avcC"), b"free"), "no avcC"),
    "colour": (edit_field((*ENTRY, "colr"), 4, lambda bits: bits + (8 << 16)), "colr says"),
    "timescale": (edit_field(("moov", "trak", "mdia", "mdhd"), 12, lambda scale: scale + 1), "EXTINF says"),
    "segment instead": (lambda data: b"", "is ftyp and moov"),
}


def test_a_good_output_has_no_fault(good: Files) -> None:
    assert found(good) == []


def test_an_output_without_sound_has_no_fault(tmp_path: Path) -> None:
    directory = write_output(tmp_path / "silent", seed=1, duration_s=1, fps=60, shapes=SMALL[:1], sound=False)
    assert faults(check_output(read_directory(directory))) == []


def test_sound_alone_has_no_fault(good: Files) -> None:
    """As one variant of its own; and without an MPD, as what is provisional."""
    weighed = [(Fraction(192_512, 48_000), len(good["mix-00000.m4s"])), (Fraction(2), len(good["mix-00001.m4s"]))]
    rates = f"BANDWIDTH={peak(weighed):.0f},AVERAGE-BANDWIDTH={average(weighed):.0f}"
    master = f'#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-STREAM-INF:{rates},CODECS="mp4a.40.2"\nmix.m3u8\n'
    assert faults(check_output(reader({**good, "alone.m3u8": master.encode()}), "alone.m3u8", mpd=None)) == []


@pytest.mark.parametrize("broken", SEGMENT_BREAKS)
def test_a_broken_segment_is_found(good: Files, broken: str) -> None:
    edit, expected = SEGMENT_BREAKS[broken]
    reports = found_with(good, SEGMENT, edit(good[SEGMENT]))
    assert any(expected in report.what for report in reports), [str(report) for report in reports]


@pytest.mark.parametrize("broken", INIT_BREAKS)
def test_a_broken_header_is_found(good: Files, broken: str) -> None:
    edit, expected = INIT_BREAKS[broken]
    reports = found_with(good, INIT, edit(good[INIT]))
    assert any(expected in report.what for report in reports), [str(report) for report in reports]


def test_a_missing_segment_and_header_are_found(good: Files) -> None:
    for name in (SEGMENT, INIT):
        assert any("missing" in report.what for report in found_with(good, name, None))


def test_segments_out_of_order_are_found(good: Files) -> None:
    _, findings = check_track(reader(good), INIT, ["144p-00001.m4s", "144p-00000.m4s"])
    assert any("does not follow" in finding.what for finding in faults(findings))


def test_what_the_bytes_say_is_read_right(good: Files) -> None:
    facts, findings = check_track(reader(good), INIT, ["144p-00000.m4s", "144p-00001.m4s"])
    assert not faults(findings)
    assert facts is not None
    head = facts.header
    assert (head.width, head.height, head.timescale, facts.even) == (256, 144, 15360, True)
    assert head.avc is not None
    assert head.codec == "avc1." + head.avc.sps[0][1:4].hex()
    told = avc.sequence(head.avc.sps[0])
    assert (told.width, told.height, told.colour) == (256, 144, (1, 1, 1, False))
    assert [len(part.samples) for file in facts.files for part in file.fragments] == [60, 60, 60]
    assert sum(1 for sample in facts.samples if sample.sync) == 3
    assert facts.duration_s == 6


def test_sound_is_read_right(good: Files) -> None:
    facts, findings = check_track(reader(good), "mix-init.mp4", ["mix-00000.m4s", "mix-00001.m4s"])
    assert not faults(findings)
    assert facts is not None
    assert (facts.header.codec, facts.header.channels, facts.header.sample_rate) == ("mp4a.40.2", 2, 48_000)


def test_random_bytes_are_never_more_than_a_finding(good: Files) -> None:
    """A judge that falls over judges nothing."""
    for data in (good[INIT], good["mix-init.mp4"]):
        for place in range(0, len(data), 3):
            broken = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
            check_track(reader({"init": broken, "segment": good[SEGMENT]}), "init", ["segment"])
    with pytest.raises(Malformed):
        list(boxes(b"\0\0\0\4moov"))
