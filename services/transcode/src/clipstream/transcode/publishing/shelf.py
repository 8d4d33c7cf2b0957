"""Stores what caged children make: initialisation and media segments, immutable, the first writer of each wins.

Encoders are not reproducible to the bit, so whoever finds that another attempt stored a segment first must describe that one
and not its own. What a segment is stands in its object's metadata for that; it is read from the file itself, so that nobody
has to believe a child.
"""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Conflict, Permanent, Transient
from clipstream.common.store.objects import ObjectStore
from clipstream.transcode.cmaf.boxes import Fragment, Header, fragment, header
from clipstream.transcode.made import Segment, Span, Track
from clipstream.transcode.planned import init_file

FACTS = "segment"
"""The metadata that says what a segment is."""

MOST_FACTS_BYTES = 1500
AT_ONCE = 4

_TRACK = re.compile(r"[a-z0-9-]+")
_INIT, _SEGMENT = re.compile(r"([a-z0-9-]+)-init\.mp4"), re.compile(r"([a-z0-9-]+)-[0-9]{5}\.m4s")
_INIT_LIMIT = 1 << 20
_MOOF_LIMIT = 1 << 20
"""Of 16 bytes a sample, those of a fragment take some tens of kilobytes."""
_MOST_BOXES = 4096
"""In one segment of some seconds, even where each sample of it is a fragment."""
_UNREADABLE = (ValueError, IndexError, struct.error)


class SegmentShelf:
    """One attempt's files below `prefix`, which ends with a slash. `take` is the `take` of `StageContext.isolate`."""

    def __init__(self, store: ObjectStore, prefix: ObjectKey) -> None:
        self._store, self._prefix = store, prefix
        self._headers: dict[str, Header] = {}
        self._facts: dict[str, Segment] = {}
        self._lost: set[str] = set()

    async def take(self, file: Path) -> None:
        """Store a complete file. `Transient` where it is not what an honest child makes."""
        if match := _INIT.fullmatch(file.name):
            await self._take_init(match[1], file)
        elif match := _SEGMENT.fullmatch(file.name):
            await self._take_segment(self._headers.get(match[1], Header()), file)
        else:
            raise Transient(f"The encoder handed over {file.name!r}, which is no segment.")

    async def settle(self, tracks: Sequence[Track]) -> tuple[Track, ...]:
        """The tracks with the facts of the segments that lie in the store, whoever stored them. `Transient` where a track is
        not what its files say: its words are going to stand in playlists."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def fetch(name: str) -> None:
            async with turns:
                info = await self._store.head(self._key(name))
            self._facts[name] = read_facts(Path(name), info.size_bytes, info.metadata.get(FACTS, ""))

        async with asyncio.TaskGroup() as group:
            for name in self._lost:
                group.create_task(fetch(name))
        self._lost.clear()
        return tuple(map(self._settled, tracks))

    def _settled(self, track: Track) -> Track:
        segments = tuple(self._fact(segment.file) for segment in track.segments)
        self._check(track)
        return track.model_copy(update={"segments": segments})

    def _check(self, track: Track) -> None:
        found = self._headers.get(track.name)
        alike = found is not None and (track.codec, track.timescale) == (found.codec, found.timescale)
        named = _TRACK.fullmatch(track.name) is not None and track.init_file == init_file(track.name)
        own = all(segment.file.name.rpartition("-")[0] == track.name for segment in track.segments)
        if not (named and own) or (track.segments and not alike):
            raise Transient(f"The encoder described a track that it did not make: {track.name[:60]!r}.")

    def _fact(self, file: Path) -> Segment:
        try:
            return self._facts[file.name]
        except KeyError:
            raise Transient(f"The encoder named {file.name!r} and never handed it over.") from None

    async def _take_init(self, track: str, file: Path) -> None:
        body = _read_init(file)  # at once, so that the segments behind it find its header
        try:
            self._headers[track] = header(body)
        except _UNREADABLE as error:
            raise Transient(f"The encoder made an initialisation segment that cannot be read: {file.name}.") from error
        key = self._key(file.name)
        try:
            await self._store.put(key, body, content_type="video/mp4", if_absent=True)
        except Conflict:
            if await self._store.get(key, limit=_INIT_LIMIT) != body:
                raise Transient(f"Two attempts made different initialisation segments: {key}.") from None

    async def _take_segment(self, track: Header, file: Path) -> None:
        facts = await asyncio.to_thread(_examine, file, track)
        name = file.name
        try:
            await self._store.put_file(
                self._key(name),
                file,
                content_type="video/iso.segment",
                metadata={FACTS: write_facts(facts)},
                if_absent=True,
            )
        except Conflict:
            self._lost.add(name)
            return
        self._facts[name] = facts

    def _key(self, name: str) -> ObjectKey:
        return ObjectKey(self._prefix + name)


def write_facts(segment: Segment) -> str:
    """As text that needs no quoting on its way through HTTP headers: `start.duration`, then for each key span
    `~offset.size.start.duration`, starts counted from the segment's."""
    rows: list[tuple[int, ...]] = [(segment.start, segment.duration)]
    rows += [(key.offset, key.size_bytes, key.start - segment.start, key.duration) for key in segment.keys]
    text = "~".join(".".join(map(str, row)) for row in rows)
    if len(text) > MOST_FACTS_BYTES:
        raise Permanent(f"The segment {segment.file} has too many key pictures: {len(segment.keys)}.")
    return text


def read_facts(file: Path, size_bytes: int, text: str) -> Segment:
    """The reverse. `Transient` where an object does not say what it is."""
    try:
        first, *rest = (tuple(map(int, row.split("."))) for row in text.split("~"))
        start, duration = first
        spans = [(offset, size, start + later, length) for offset, size, later, length in rest]
    except ValueError:
        raise Transient(f"The stored segment {file} does not say what it is.") from None
    keys = tuple(Span(offset=o, size_bytes=s, start=at, duration=length) for o, s, at, length in spans)
    return Segment(file=file, start=start, duration=duration, size_bytes=size_bytes, keys=keys)


def _read_init(file: Path) -> bytes:
    if file.stat().st_size > _INIT_LIMIT:
        raise Transient(f"The encoder made an initialisation segment that is none: {file.name}.")
    return file.read_bytes()


def _examine(path: Path, track: Header) -> Segment:
    """What the file's moofs say, mdats jumped over. Sound has no key spans: each of its samples is one."""
    found: list[tuple[int, int, Fragment]] = []
    with path.open("rb") as file:
        try:
            for offset, body in _moofs(file):
                found.append((offset, len(body), fragment(body, track)))
        except _UNREADABLE as error:
            raise Transient(f"The encoder made a segment that cannot be read: {path.name}.") from error
    if not found:
        raise Transient(f"The encoder made a segment without a fragment: {path.name}.")
    start, last = found[0][2].start, found[-1][2]
    keys = tuple(
        Span(offset=offset, size_bytes=size + 8 + each.first_sample_bytes, start=each.start, duration=each.duration)
        for offset, size, each in found
        if each.begins_with_key and not track.codec.startswith("mp4a")
    )
    ended = last.start + last.duration
    return Segment(file=Path(path.name), start=start, duration=ended - start, size_bytes=path.stat().st_size, keys=keys)


def _moofs(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The offset and the bytes of each moof."""
    for _ in range(_MOST_BOXES):
        head = file.read(8)
        if len(head) < 8:
            return
        size, kind = int.from_bytes(head[:4], "big"), head[4:]
        if size < 8:
            raise ValueError("a box without a size")
        if kind == b"moof":
            if size > _MOOF_LIMIT:
                raise ValueError("a moof of more than 1 MiB")
            yield file.tell() - 8, head + file.read(size - 8)
        else:
            file.seek(size - 8, 1)
    raise ValueError("more boxes than a segment has")
