"""Children that wait: used once each, replaced, and gone with their keeper."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from clipstream.common.stage.isolate import isolate
from clipstream.common.stage.process import Spares
from corpus import hostile


async def waiting(spares: Spares) -> int:
    """The process that waits for the next call."""
    child = await spares._waiting[hostile.__name__]
    return child.process.pid


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_a_waiting_child_does_one_job(tmp_path: Path) -> None:
    async with Spares([hostile.my_pid]) as spares:
        first = await waiting(spares)
        assert await isolate(hostile.my_pid, scratch=tmp_path, spares=spares) == first
        assert not alive(first)
        second = await waiting(spares)
        assert await isolate(hostile.my_pid, scratch=tmp_path, spares=spares) == second != first


async def test_two_calls_at_once_have_a_child_each(tmp_path: Path) -> None:
    homes = [tmp_path / "one", tmp_path / "two"]
    for home in homes:
        home.mkdir()
    async with Spares([hostile.my_pid]) as spares:
        pids = await asyncio.gather(*(isolate(hostile.my_pid, scratch=home, spares=spares) for home in homes))
    assert len(set(pids)) == 2


async def test_a_child_that_died_waiting_is_replaced(tmp_path: Path) -> None:
    async with Spares([hostile.my_pid]) as spares:
        pid = await waiting(spares)
        os.kill(pid, signal.SIGKILL)
        while alive(pid):
            await asyncio.sleep(0)
        assert await isolate(hostile.my_pid, scratch=tmp_path, spares=spares) != pid


async def test_no_child_outlives_its_keeper(tmp_path: Path) -> None:
    async with Spares([hostile.my_pid]) as spares:
        pid = await waiting(spares)
    assert not alive(pid)


async def test_a_child_that_waited_is_caged_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of somebody else")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    async with Spares([hostile.open_files]) as spares:
        await waiting(spares)
        paths = [str(tmp_path / "secret"), "/etc/passwd"]
        assert await isolate(hostile.open_files, scratch=scratch, spares=spares, paths=paths) == []
        assert await isolate(hostile.open_sockets, scratch=scratch, spares=spares, port=1) == []
