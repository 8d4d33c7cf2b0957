"""Reads an initialisation segment (CMAF header, ISO/IEC 23000-19 clause 7.3.1) into plain facts; judges nothing."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from validators import avc
from validators.isobmff import Box, Defaults, Malformed, boxes

VIDEO_FIELDS, SOUND_FIELDS = 78, 28
"""Bytes of a visual and of an audio sample entry before its boxes (14496-12, 12.1.3 and 12.2.3)."""
_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)


@dataclass(frozen=True, slots=True)
class Edit:
    duration: int
    media_time: int


@dataclass(frozen=True, slots=True)
class Header:
    """One track as its initialisation segment describes it. Sizes are 0 for sound; `channels` is 0 for video."""

    brands: tuple[str, ...]
    handler: str
    track_id: int
    extends: tuple[int, ...]
    timescale: int
    entry: str
    codec: str
    defaults: Defaults
    width: int
    height: int
    shown_width: Fraction
    shown_height: Fraction
    matrix: bytes
    pixel_aspect: tuple[int, int] | None
    colour: tuple[int, int, int, bool] | None
    avc: avc.Config | None
    channels: int
    sample_rate: int
    edits: tuple[Edit, ...]
    samples_in_header: int


def header(data: bytes) -> Header:
    """Raises `Malformed` where it is not one ftyp and one moov of one track."""
    top = list(boxes(data))
    kinds = [box.kind for box in top]
    if kinds[:1] != ["ftyp"] or kinds.count("moov") != 1:
        raise Malformed(f"an initialisation segment is ftyp and moov, not {kinds}")
    moov = top[kinds.index("moov")]
    trak, trex = moov.one("trak"), moov.all("mvex", "trex")
    if not trex:
        raise Malformed("no mvex/trex: this is no fragmented file")
    media = trak.one("mdia")
    mdhd, stsd = media.one("mdhd"), media.one("minf", "stbl", "stsd")
    entries = stsd.children(8)
    if len(entries) != 1:
        raise Malformed(f"{len(entries)} sample entries, not one")
    tkhd = trak.one("tkhd")
    late = 12 if tkhd.version == 1 else 0
    video = _video(entries[0]) if media.one("hdlr").payload[8:12] == b"vide" else None
    sound = None if video else _sound(entries[0])
    return Header(
        brands=_brands(top[0]),
        handler=media.one("hdlr").payload[8:12].decode("latin-1"),
        track_id=tkhd.u32(12 if not late else 20),
        extends=tuple(box.u32(4) for box in trex),
        timescale=mdhd.u32(20 if mdhd.version == 1 else 12),
        entry=entries[0].kind,
        codec=video.codec if video else sound.codec if sound else "",
        defaults=Defaults(trex[0].u32(12), trex[0].u32(16), trex[0].u32(20)),
        width=entries[0].u16(24) if video else 0,
        height=entries[0].u16(26) if video else 0,
        shown_width=Fraction(tkhd.u32(76 + late), 1 << 16),
        shown_height=Fraction(tkhd.u32(80 + late), 1 << 16),
        matrix=tkhd.payload[40 + late : 76 + late],
        pixel_aspect=video.pixel_aspect if video else None,
        colour=video.colour if video else None,
        avc=video.avc if video else None,
        channels=sound.channels if sound else 0,
        sample_rate=sound.sample_rate if sound else 0,
        edits=_edits(trak),
        samples_in_header=sum(box.u32(4) for box in media.all("minf", "stbl", "stts")),
    )


@dataclass(frozen=True, slots=True)
class _Video:
    codec: str
    avc: avc.Config | None
    pixel_aspect: tuple[int, int] | None
    colour: tuple[int, int, int, bool] | None


def _video(entry: Box) -> _Video:
    inside = {box.kind: box for box in entry.children(VIDEO_FIELDS)}
    pasp, colr = inside.get("pasp"), inside.get("colr")
    colour = None
    if colr and colr.payload[:4] == b"nclx":
        colour = (colr.u16(4), colr.u16(6), colr.u16(8), bool(colr.payload[10] & 0x80))
    aspect = (pasp.u32(0), pasp.u32(4)) if pasp else None
    if entry.kind not in ("avc1", "avc3"):
        return _Video("", None, aspect, colour)
    if "avcC" not in inside:
        raise Malformed(f"no avcC in {entry.kind}")
    config = avc.config(inside["avcC"].payload)
    return _Video(f"{entry.kind}.{config.codec}", config, aspect, colour)


@dataclass(frozen=True, slots=True)
class _Sound:
    codec: str
    channels: int
    sample_rate: int


def _sound(entry: Box) -> _Sound:
    esds = next((box for box in entry.children(SOUND_FIELDS) if box.kind == "esds"), None)
    if entry.kind != "mp4a" or esds is None:
        return _Sound("", entry.u16(16), entry.u32(24) >> 16)
    kind, specific = _descriptors(esds.payload[4:])
    if kind != 0x40:
        return _Sound(f"mp4a.{kind:02x}", entry.u16(16), entry.u32(24) >> 16)
    return _specific(specific)


def _descriptors(data: bytes) -> tuple[int, bytes]:
    """(objectTypeIndication, DecoderSpecificInfo) of an ES_Descriptor (ISO/IEC 14496-1, 7.2.6.5)."""
    body = _descriptor(data, 3)
    if body[2] & 0xE0:
        raise Malformed("an ES_Descriptor with streams, URLs or clocks of other streams")
    config = _descriptor(body[3:], 4)
    return config[0], _descriptor(config[13:], 5)


def _descriptor(data: bytes, tag: int) -> bytes:
    place, size = 1, 0
    if not data or data[0] != tag:
        raise Malformed(f"esds: no descriptor {tag} where one belongs")
    while True:
        size = size << 7 | data[place] & 0x7F
        place += 1
        if not data[place - 1] & 0x80:
            return data[place : place + size]


def _specific(data: bytes) -> _Sound:
    """AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) of the object types without extensions up front."""
    bits = int.from_bytes(data[:8].ljust(8, b"\0"), "big")
    kind, index = bits >> 59, bits >> 55 & 15
    if kind == 31 or index == 15:
        raise Malformed("an AudioSpecificConfig with escaped fields")
    channels = bits >> 51 & 15
    return _Sound(f"mp4a.40.{kind}", 8 if channels == 7 else channels, _RATES[index])


def _brands(ftyp: Box) -> tuple[str, ...]:
    text = ftyp.payload.decode("latin-1")
    return (text[:4], *(text[place : place + 4] for place in range(8, len(text), 4)))


def _edits(trak: Box) -> tuple[Edit, ...]:
    found = []
    for elst in trak.all("edts", "elst"):
        for number in range(elst.u32(4)):
            if elst.version == 1:
                place = 8 + 20 * number
                start = elst.u64(place + 8)
                found.append(Edit(elst.u64(place), start - (1 << 64) if start >> 63 else start))
            else:
                found.append(Edit(elst.u32(8 + 12 * number), elst.i32(12 + 12 * number)))
    return tuple(found)
