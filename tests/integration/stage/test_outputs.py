"""Files that a child hands over while it goes on: each once, complete, no more than a few ahead, and none that is not its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from clipstream.common.errors import Outage, Permanent, Transient
from clipstream.common.stage.isolate import isolate
from clipstream.common.stage.outputs import AT_ONCE
from corpus import hostile, liars


async def test_each_file_is_taken_complete_and_then_gone(tmp_path: Path) -> None:
    taken: dict[str, bytes] = {}

    async def take(file: Path) -> None:
        taken[file.name] = await asyncio.to_thread(file.read_bytes)

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    assert await isolate(hostile.make_files, scratch=scratch, take=take, count=20) == 20
    assert taken == {f"{number}.bin": bytes([number]) * 1000 for number in range(20)}
    assert [path.name for path in tmp_path.rglob("*.bin")] == []
    assert list(tmp_path.iterdir()) == [scratch]


async def test_a_child_waits_for_a_slow_taker(tmp_path: Path) -> None:
    free, waiting, told = asyncio.Event(), 0, list[float]()

    async def take(file: Path) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == AT_ONCE:
            asyncio.get_running_loop().call_later(0.5, free.set)
        await free.wait()
        waiting -= 1

    def progress(fraction: float) -> None:
        told.append(fraction)
        assert free.is_set() or fraction <= AT_ONCE / 20

    await isolate(hostile.make_files, scratch=tmp_path, take=take, progress=progress, count=20)
    assert told[-1] == 1.0


async def test_a_file_that_cannot_be_taken_ends_the_child(tmp_path: Path) -> None:
    async def take(file: Path) -> None:
        raise Outage("The store does not answer.")

    with pytest.raises(Outage, match="does not answer"):
        await isolate(hostile.make_files, scratch=tmp_path, take=take, count=1000)


@pytest.mark.parametrize("name", ["link", "../outside", "missing", "..", "directory", "nul\0"])
async def test_only_its_own_files_can_be_handed_over(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").write_text("a secret of somebody else")
    scratch = tmp_path / "scratch"
    (scratch / "directory").mkdir(parents=True)
    (scratch / "link").symlink_to(tmp_path / "outside")  # the cage lets no child make one; another kernel might

    async def take(file: Path) -> None:
        raise AssertionError(f"{name} was taken")

    with pytest.raises(Transient, match="the decoder named"):
        await isolate(hostile.hand_over, scratch=scratch, take=take, name=name)
    assert (tmp_path / "outside").read_text() == "a secret of somebody else"


async def test_a_name_is_not_said_twice_while_its_file_is_on_its_way(tmp_path: Path) -> None:
    """Else what is stored would not be what was looked into."""
    taken: list[str] = []

    async def take(file: Path) -> None:
        taken.append(file.name)
        await asyncio.sleep(60)

    with pytest.raises(Transient, match="named a file twice"):
        await isolate(liars.hand_over_twice, scratch=tmp_path, take=take)
    assert taken == ["same.bin"]


async def test_words_of_a_child_can_be_sent_and_kept(tmp_path: Path) -> None:
    with pytest.raises(Permanent) as raised:
        await isolate(liars.complain, scratch=tmp_path)
    assert str(raised.value).startswith("ab?cddd")
    assert len(str(raised.value).encode()) <= 4096


@pytest.mark.parametrize(
    ("words", "kept"), [("a\0b", False), ("\\\0", False), ("\\u0000", True)], ids=["nul", "behind", "typed"]
)
async def test_what_a_child_answers_can_be_kept(tmp_path: Path, words: str, kept: bool) -> None:
    if kept:
        assert await isolate(liars.say, scratch=tmp_path, words=words) == words
        return
    with pytest.raises(Transient, match="answered with a NUL"):
        await isolate(liars.say, scratch=tmp_path, words=words)
