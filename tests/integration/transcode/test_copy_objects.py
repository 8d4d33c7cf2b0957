"""Segments on their way to the store: read from the files themselves, and the first writer's facts count."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Permanent, Transient
from clipstream.common.store.disk.store import DiskStore
from clipstream.transcode.made import Segment, Span, Track
from clipstream.transcode.publishing.shelf import SegmentShelf, read_facts, write_facts
from corpus.gameplay import render_clip
from integration.transcode.copies import Copied, copied

PREFIX = ObjectKey("processed-videos/v/segments/p/")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copied:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return copied(render_clip(path, seed=1, duration_s=6, width=160, height=90, gop=30, b_frames=2))


async def shelve(copy: Copied, shelf: SegmentShelf) -> None:
    for name in copy.emitted:
        await shelf.take(copy.directory / name)


async def test_what_a_file_says_is_what_was_made(copy: Copied, disk_store: DiskStore) -> None:
    shelf = SegmentShelf(disk_store, PREFIX)
    await shelve(copy, shelf)
    assert await shelf.settle(copy.made.tracks) == copy.made.tracks


async def test_nobody_has_to_believe_a_child(copy: Copied, disk_store: DiskStore) -> None:
    shelf = SegmentShelf(disk_store, PREFIX)
    await shelve(copy, shelf)
    lies = tuple(each.model_copy(update={"start": 7, "size_bytes": 1}) for each in copy.video.segments)
    [settled] = await shelf.settle([copy.video.model_copy(update={"segments": lies})])
    assert settled == copy.video


async def test_the_first_writers_facts_count(copy: Copied, disk_store: DiskStore, tmp_path: Path) -> None:
    await shelve(copy, SegmentShelf(disk_store, PREFIX))
    late = SegmentShelf(disk_store, PREFIX)
    for name in copy.emitted:
        body = (copy.directory / name).read_bytes()
        (tmp_path / name).write_bytes(body if name.endswith("init.mp4") else body + b"\0\0\0\x0cfree1234")
        await late.take(tmp_path / name)
    assert await late.settle(copy.made.tracks) == copy.made.tracks
    body = await disk_store.get(ObjectKey(f"{PREFIX}source-00000.m4s"))
    assert body == (copy.directory / "source-00000.m4s").read_bytes()


async def test_initialisation_segments_that_differ_are_told(
    copy: Copied, disk_store: DiskStore, tmp_path: Path
) -> None:
    shelf = SegmentShelf(disk_store, PREFIX)
    await shelf.take(copy.directory / "source-init.mp4")
    other = (copy.directory / "source-init.mp4").read_bytes()
    (tmp_path / "source-init.mp4").write_bytes(other[:-1] + b"\1")
    with pytest.raises(Transient, match="different initialisation segments"):
        await shelf.take(tmp_path / "source-init.mp4")


@pytest.mark.parametrize(
    "name",
    ["plan.json", "source-1.m4s", "Source-00000.m4s", "source-00000.m4s.exe", "source-00000.m4s\n", "output.json"],
)
async def test_other_files_are_not_taken(disk_store: DiskStore, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(Transient, match="is no segment"):
        await SegmentShelf(disk_store, PREFIX).take(tmp_path / name)
    assert [info async for info in disk_store.list("")] == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0\0\0\x08mdat",
        b"\0\0\0\x10moof\0\0\0\x08mfhd",
        b"\0\0\0\x18moof\0\0\0\x10trun\0\0\1\0\xff\xff\xff\xff",
        b"\0\0\0\1moof",
        b"\0\0\0\x08moof" * 100_000,
        b"\0\0\0\x08free" * 100_000,
        b"".join((8 * (2000 - depth)).to_bytes(4, "big") + b"moof" for depth in range(2000)),
    ],
    ids=["empty", "without", "hollow", "liar", "endless", "countless", "padded", "bottomless"],
)
async def test_a_file_that_is_no_segment_is_not_stored(disk_store: DiskStore, tmp_path: Path, body: bytes) -> None:
    (tmp_path / "source-00000.m4s").write_bytes(body)
    shelf = SegmentShelf(disk_store, PREFIX)
    if body.startswith(b"\0\0\0\x10moof"):
        await shelf.take(tmp_path / "source-00000.m4s")  # a fragment of nothing, which players skip
        return
    with pytest.raises(Transient, match="The encoder made a segment"):
        await shelf.take(tmp_path / "source-00000.m4s")


async def test_a_segment_that_was_never_handed_over_is_told(copy: Copied, disk_store: DiskStore) -> None:
    with pytest.raises(Transient, match="never handed it over"):
        await SegmentShelf(disk_store, PREFIX).settle(copy.made.tracks)


@pytest.mark.parametrize(
    "lie",
    [
        {"name": "../../other/master"},
        {"name": "source\n#EXT-X-MEDIA"},
        {"init_file": Path('x"\nhttps://tracker.example/x.mp4')},
        {"codec": 'avc1"\nhttps://tracker.example/\n'},
        {"timescale": 0},
    ],
    ids=["name", "line", "init", "codec", "timescale"],
)
async def test_what_a_child_calls_its_track_reaches_no_playlist(
    copy: Copied, disk_store: DiskStore, lie: dict[str, object]
) -> None:
    shelf = SegmentShelf(disk_store, PREFIX)
    await shelve(copy, shelf)
    with pytest.raises(Transient, match="described a track that it did not make"):
        await shelf.settle([copy.video.model_copy(update=lie)])


async def test_a_track_is_made_of_its_own_files(copy: Copied, disk_store: DiskStore) -> None:
    shelf = SegmentShelf(disk_store, PREFIX)
    await shelve(copy, shelf)
    assert copy.made.audio is not None
    borrowed = copy.video.model_copy(update={"segments": copy.made.audio.segments})
    with pytest.raises(Transient, match="described a track that it did not make"):
        await shelf.settle([borrowed])


def test_facts_come_back_as_they_were(copy: Copied) -> None:
    for track in copy.made.tracks:
        for segment in track.segments:
            assert read_facts(segment.file, segment.size_bytes, write_facts(segment)) == segment


def test_facts_that_do_not_fit_are_refused() -> None:
    span = Span(offset=10_000_000, size_bytes=1_000_000, start=10_000_000, duration=100_000)
    with pytest.raises(Permanent, match="too many key pictures: 60"):
        write_facts(Segment(file=Path("a-00000.m4s"), start=0, duration=1, size_bytes=1, keys=(span,) * 60))


@pytest.mark.parametrize("text", ["", "1", "1.2~3", "a.b", "1.2~1.2.3.4.5"])
def test_facts_that_are_none_are_told(text: str) -> None:
    with pytest.raises(Transient, match="does not say what it is"):
        read_facts(Path("a-00000.m4s"), 1, text)


async def test_sound_has_no_key_pictures(copy: Copied, disk_store: DiskStore) -> None:
    shelf = SegmentShelf(disk_store, PREFIX)
    await shelve(copy, shelf)
    [sound] = await shelf.settle([copy.audio])
    assert isinstance(sound, Track)
    assert all(segment.keys == () for segment in sound.segments)
