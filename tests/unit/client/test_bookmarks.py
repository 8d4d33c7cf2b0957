"""Where an interrupted upload goes on."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from clipstream.client.bookmarks import KEPT_S, Bookmark, Bookmarks
from clipstream.client.errors import FileChanged
from clipstream.client.files import LocalFile

SERVER = "http://clips.example"
STREAM = uuid4()


@pytest.fixture
async def file(tmp_path: Path) -> LocalFile:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"some bytes")
    return await LocalFile.look(path)


@pytest.fixture
def bookmarks(tmp_path: Path) -> Bookmarks:
    return Bookmarks(tmp_path / "state" / "uploads")


def _mark(file: LocalFile) -> Bookmark:
    return Bookmark(server=SERVER, stream_id=STREAM, path=str(file.path), video_id=uuid4())


def test_what_was_kept_is_found_by_another_process(bookmarks: Bookmarks, file: LocalFile) -> None:
    mark = _mark(file)
    bookmarks.keep(mark, file)
    assert Bookmarks(bookmarks.directory).find(SERVER, STREAM, file) == mark
    bookmarks.drop(mark, file)
    assert bookmarks.find(SERVER, STREAM, file) is None
    assert list(bookmarks.directory.iterdir()) == []


def test_another_server_stream_or_version_of_the_file_is_another_upload(bookmarks: Bookmarks, file: LocalFile) -> None:
    bookmarks.keep(_mark(file), file)
    assert bookmarks.find("http://other.example", STREAM, file) is None
    assert bookmarks.find(SERVER, uuid4(), file) is None
    assert bookmarks.find(SERVER, STREAM, replace(file, mtime_ns=file.mtime_ns + 1)) is None
    assert bookmarks.find(SERVER, STREAM, replace(file, size=file.size + 1)) is None


def test_a_damaged_one_is_as_good_as_none(bookmarks: Bookmarks, file: LocalFile) -> None:
    bookmarks.keep(_mark(file), file)
    (place,) = bookmarks.directory.iterdir()
    place.write_text('{"server": ')
    assert bookmarks.find(SERVER, STREAM, file) is None


def test_old_ones_are_forgotten(bookmarks: Bookmarks, file: LocalFile) -> None:
    bookmarks.keep(_mark(file), file)
    (old,) = bookmarks.directory.iterdir()
    long_ago = time.time() - KEPT_S - 1
    os.utime(old, (long_ago, long_ago))
    bookmarks.keep(_mark(file), replace(file, size=file.size + 1))
    assert not old.exists()


async def test_a_file_that_changes_is_noticed(file: LocalFile) -> None:
    await file.require_unchanged()
    with file.path.open("ab") as more:
        more.write(b"more")
    with pytest.raises(FileChanged, match=r"clip\.mp4 has changed"):
        await file.require_unchanged()


async def test_pieces_are_those_of_the_file(file: LocalFile) -> None:
    assert b"".join([piece async for piece in file.chunks(5, 3)]) == b"byt"
    assert b"".join([piece async for piece in file.chunks(5, 100)]) == b"bytes"
