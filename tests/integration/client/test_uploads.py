"""Files into a stream of a real gateway, in one piece and in parts, with everything that may come between."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from clipstream.client import ApiError, Bookmarks, Client, FileChanged
from clipstream.client.bookmarks import Bookmark
from clipstream.client.files import LocalFile
from clipstream.client.sending import SINGLE_LIMIT
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.store.parts import PART_SIZE
from clipstream.common.store.presign import NotSigned, UploadGrant, UploadSigner
from clipstream.gateway.services import SERVICES
from integration.client.conftest import QUICK, CommandLine, ended
from integration.client.gate import Gate
from integration.gateway.conftest import anywhere, gateway_database, place
from integration.gateway.world import World, serving, settings

__all__ = ["anywhere", "gateway_database", "place"]
PARTS = 4
SIZE = (PARTS - 1) * PART_SIZE + 12_345


@pytest.fixture
async def world(gateway_database: str, tmp_path: Path) -> AsyncIterator[World]:
    async with serving(settings(gateway_database, tmp_path / "store", max_upload_size=100_000_000)) as made:
        yield made


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of four parts, no two of them alike."""
    path = tmp_path_factory.mktemp("clips") / "large – clip.mp4"
    path.write_bytes(random.Random(4).randbytes(SIZE))
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.mp4"
    path.write_bytes(b"the bytes of a small clip")
    return path


async def _stored(world: World, video_id: UUID, path: Path) -> bool:
    """The store has the file, byte for byte, and its processing has begun."""
    key = ObjectKey(f"raw-uploads/{video_id}.mp4")
    body = b"".join([piece async for piece in world.store.stream(key)])
    (row,) = await world.rows("videos", id=video_id)
    return body == path.read_bytes() and row["status"] == "processing"


def test_what_is_sent_in_one_piece_would_be_one_part() -> None:
    assert SINGLE_LIMIT == PART_SIZE


async def test_a_small_file_in_one_piece(world: World, ann: Client, friday: UUID, small: Path) -> None:
    gate, told = Gate.before(world), list[tuple[int, int]]()
    sent = await ann.upload(friday, small, title="Ace", on_progress=lambda *told_now: told.append(told_now))
    assert await _stored(world, sent.video_id, small)
    assert (await ann.videos.get(sent.video_id)).title == "Ace"
    assert told == [(25, 25)]
    assert gate.begun == []


async def test_a_large_file_in_parts(world: World, ann: Client, friday: UUID, large: Path, tmp_path: Path) -> None:
    gate, told, bookmarks = Gate.before(world), list[int](), Bookmarks(tmp_path / "bookmarks")
    sent = await ann.upload(friday, large, bookmarks=bookmarks, on_progress=lambda now, _: told.append(now))
    assert await _stored(world, sent.video_id, large)
    assert sorted(gate.stored) == [1, 2, 3, 4]
    assert told == sorted(told)
    assert told[-1] == SIZE
    assert list(bookmarks.directory.iterdir()) == []


async def test_both_ways_on_every_store(anywhere: World, large: Path, small: Path) -> None:
    """Addresses differ from store to store, and what has to be sent with them."""
    async with Client.connect(anywhere.base, patience=QUICK) as client:
        await client.sign_in_for_development("Ann")
        stream = await client.streams.create("Friday")
        for path in (small, large):
            for check in (False, True):
                sent = await client.upload(stream.id, path, check_known=check)
                assert await _stored(anywhere, sent.video_id, path)


async def test_what_the_stream_has_is_not_sent_again(world: World, ann: Client, friday: UUID, small: Path) -> None:
    first = await ann.upload(friday, small)
    again = await ann.upload(friday, small)
    assert (again.video_id, again.already_there) == (first.video_id, True)
    unasked = await ann.upload(friday, small, check_known=False)
    assert not unasked.already_there
    assert len(await world.rows("videos")) == 2


async def test_parts_that_fail_are_sent_again(world: World, ann: Client, friday: UUID, large: Path) -> None:
    gate = Gate.before(world, failing=3)
    told: list[int] = []
    sent = await ann.upload(friday, large, on_progress=lambda now, _: told.append(now))
    assert await _stored(world, sent.video_id, large)
    assert len(gate.begun) == PARTS + 3
    assert told[-1] == max(told) == SIZE


async def test_addresses_that_expired_are_asked_for_again(
    world: World, ann: Client, friday: UUID, large: Path, small: Path
) -> None:
    signer = world.gateway.application[SERVICES].uploads
    given = _count(signer, "sign"), _count(signer, "sign_part")
    for path, expired in ((small, 1), (large, 3)):
        refused = _expire(signer, expired)
        sent = await ann.upload(friday, path)
        assert await _stored(world, sent.video_id, path)
        assert len(refused) == expired
    assert [len(calls) for calls in given] == [2 + 1, PARTS + 3]


def _expire(signer: UploadSigner, count: int) -> list[str]:
    """As if the next `count` addresses had been given out long ago."""
    refused = list[str]()

    def verify(query: Mapping[str, str], headers: Mapping[str, str]) -> UploadGrant:
        if len(refused) < count:
            refused.append(query["signature"])
            raise NotSigned("This upload address has expired; ask for a new one.")
        return UploadSigner.verify(signer, query, headers)

    signer.verify = verify  # type: ignore[method-assign]
    return refused


def _count(signer: UploadSigner, name: str) -> list[str]:
    """Grows with every call of that method."""
    calls, method = list[str](), getattr(signer, name)

    def counted(*arguments: Any, **more: Any) -> Any:
        calls.append(name)
        return method(*arguments, **more)

    setattr(signer, name, counted)
    return calls


async def test_a_file_that_changes_meanwhile_is_not_sent(world: World, ann: Client, friday: UUID, large: Path) -> None:
    gate = Gate.before(world, allowed=1)
    path = large.with_name("changing.mp4")
    path.write_bytes(large.read_bytes())
    upload = asyncio.create_task(ann.upload(friday, path))
    await gate.until_held()
    with path.open("ab") as more:
        more.write(b"more")
    gate.open()
    with pytest.raises(FileChanged, match=r"changing\.mp4 has changed"):
        await upload
    path.unlink()


async def test_a_video_deleted_meanwhile_is_begun_anew(
    world: World, ann: Client, friday: UUID, large: Path, tmp_path: Path
) -> None:
    bookmarks = Bookmarks(tmp_path / "bookmarks")
    gate = Gate.before(world, allowed=1)
    upload = asyncio.create_task(ann.upload(friday, large, bookmarks=bookmarks))
    await gate.until_held()
    upload.cancel()
    await asyncio.wait({upload})
    (row,) = await world.rows("videos")
    await ann.videos.delete(row["id"])
    gate.open()
    sent = await ann.upload(friday, large, bookmarks=bookmarks)
    assert sent.video_id != row["id"]
    assert await _stored(world, sent.video_id, large)


async def test_a_complete_whose_answer_was_lost_is_no_second_video(
    world: World, ann: Client, friday: UUID, small: Path, tmp_path: Path
) -> None:
    """All had arrived when the process died: the next one finds that out."""
    bookmarks = Bookmarks(tmp_path / "bookmarks")
    first = await ann.upload(friday, small, bookmarks=bookmarks)
    mark = Bookmark(server=str(world.base), stream_id=friday, path=str(small.resolve()), video_id=first.video_id)
    bookmarks.keep(mark, await LocalFile.look(small))
    assert (await ann.upload(friday, small, bookmarks=bookmarks)).video_id == first.video_id
    assert len(await world.rows("videos")) == 1


async def test_refusals_come_through(ann: Client, friday: UUID, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"no clip")
    with pytest.raises(ApiError, match="Invalid video file: filename: file must be one of"):
        await ann.upload(friday, path)
    with pytest.raises(FileNotFoundError):
        await ann.upload(friday, tmp_path / "none.mp4")


@pytest.mark.parametrize("deadly", [signal.SIGKILL, signal.SIGINT])
async def test_an_upload_goes_on_where_its_process_ended(
    world: World, command: CommandLine, large: Path, deadly: signal.Signals
) -> None:
    assert (await command.run("login", "Ann")).status == 0
    stream = (await command.run("streams", "new", "Friday")).out.strip()
    gate = Gate.before(world, allowed=2)
    process = await command.start("upload", "--stream", "friday", large)
    await gate.until_held()
    process.send_signal(deadly)
    outcome = await ended(process)
    if deadly == signal.SIGINT:
        assert outcome.status == 130
        assert "The same command goes on" in outcome.err
    arrived = list(gate.stored)
    assert len(arrived) == 2
    assert len(command.bookmarks) == 1
    gate.open()
    gate.begun.clear()

    again = await command.run("upload", "--stream", stream, "--json", large)
    assert again.status == 0, again.err
    assert again.json["status"] == "sent"
    assert again.json["resumed_bytes"] == 2 * PART_SIZE
    assert sorted(gate.begun) == sorted({1, 2, 3, 4} - set(arrived))
    assert await _stored(world, UUID(again.json["video_id"]), large)
    assert len(await world.rows("videos")) == 1
    assert command.bookmarks == []
