"""A child that has been taken over: what it reaches for, it does not get, and it ends when and how its parent says."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from clipstream.common.errors import Outage, Transient
from clipstream.common.stage.context import Limits
from clipstream.common.stage.isolate import isolate
from corpus import hostile


async def test_no_network_of_any_family(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert await isolate(hostile.open_sockets, scratch=tmp_path, port=server.getsockname()[1]) == []


async def test_no_file_but_its_own_is_read(tmp_path: Path) -> None:
    scratch, neighbour = tmp_path / "mine", tmp_path / "neighbour"
    scratch.mkdir()
    neighbour.mkdir()
    (neighbour / "clip.mp4").write_text("somebody else's")
    (scratch / "own").write_text("mine")
    repository = Path(__file__).parents[3]
    foreign = ["/etc/passwd", "/proc/1/environ", "/proc/self/environ", f"/proc/{os.getppid()}/environ", "/dev/zero"]
    foreign += [str(neighbour / "clip.mp4"), "../neighbour/clip.mp4", str(repository / "pyproject.toml")]
    for path in foreign:
        assert Path(scratch / path).exists(), path
    own = str(scratch / "own")
    assert await isolate(hostile.open_files, scratch=scratch, paths=[*foreign, own]) == [own]


async def test_no_file_but_its_own_is_written_and_none_is_linked(tmp_path: Path) -> None:
    scratch = tmp_path / "mine"
    scratch.mkdir()
    foreign = [str(tmp_path / "beside"), "/tmp/beside", str(Path(hostile.__file__)), sys.prefix + "/beside"]  # noqa: S108
    own = str(scratch / "own")
    assert await isolate(hostile.write_files, scratch=scratch, paths=[*foreign, own]) == [own]


DEVICES = ["/dev/zero", "/dev/full", "/dev/null"]


@pytest.mark.parametrize(
    ("devices", "usable"),
    [
        ((), []),
        (("/dev/zero",), ["/dev/zero"]),
        (("/dev/zero", "/dev/full", "/dev/not-there"), ["/dev/zero", "/dev/full"]),
        (("/dev",), []),
    ],
)
async def test_devices_are_closed_but_those_that_are_named(
    devices: tuple[str, ...], usable: list[str], tmp_path: Path
) -> None:
    limits = Limits(devices=devices)
    assert await isolate(hostile.use_devices, scratch=tmp_path, limits=limits, paths=DEVICES) == usable


async def test_beside_devices_all_else_stays_closed(tmp_path: Path) -> None:
    """What a driver reads can be named, too; its files are not written, and no more of the neighbourhood opens."""
    scratch, driver = tmp_path / "mine", tmp_path / "driver"
    scratch.mkdir()
    driver.mkdir()
    (driver / "version").write_text("1")
    (tmp_path / "beside").write_text("2")
    limits = Limits(devices=("/dev/zero", str(driver)))
    paths = [str(driver / "version"), str(tmp_path / "beside"), "/etc/passwd", "/dev/full"]
    assert await isolate(hostile.open_files, scratch=scratch, limits=limits, paths=paths) == paths[:1]
    assert await isolate(hostile.write_files, scratch=scratch, limits=limits, paths=paths) == []
    assert await isolate(hostile.start_programs, scratch=scratch, limits=limits) == []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert await isolate(hostile.open_sockets, scratch=scratch, limits=limits, port=port) == []


async def test_a_driver_may_reserve_more_addresses_than_it_has_memory(tmp_path: Path) -> None:
    few = Limits(memory_bytes=1 << 30)
    driver = Limits(memory_bytes=1 << 30, devices=("/dev/zero",))
    with pytest.raises(Transient, match="Cannot allocate memory"):
        await isolate(hostile.reserve, scratch=tmp_path, limits=few, gibibytes=64)
    assert await isolate(hostile.reserve, scratch=tmp_path, limits=driver, gibibytes=64) == "reserved"


async def test_no_program_is_started(tmp_path: Path) -> None:
    assert await isolate(hostile.start_programs, scratch=tmp_path) == []


async def test_other_processes_are_out_of_reach(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as victim:
        try:
            assert await isolate(hostile.attack_processes, scratch=tmp_path, victim=victim.pid) == []
        finally:
            victim.kill()


async def test_surroundings_hold_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://clipstream:canary@db/clipstream")
    monkeypatch.setenv("SECRET_KEY", "canary")
    with (tmp_path / "secret").open("w") as open_in_parent:
        os.set_inheritable(open_in_parent.fileno(), True)
        seen = await isolate(hostile.surroundings, scratch=tmp_path)
    assert "canary" not in str(seen)
    assert set(seen) == {
        "HOME",
        "TMPDIR",
        "LANG",
        "OPENBLAS_NUM_THREADS",
        "OMP_NUM_THREADS",
        "PYDANTIC_DISABLE_PLUGINS",
    } | {
        "descriptors",
        "umask",
        "cwd",
    }
    assert len(seen["descriptors"].split(",")) == 4  # standard ones and the channel
    assert (seen["umask"], seen["cwd"]) == ("0o77", str(tmp_path.resolve()))


async def test_honest_work_goes_on_in_the_cage(tmp_path: Path) -> None:
    assert await isolate(hostile.compute_in_threads, scratch=tmp_path) == 4 * 200 * 200 + 4


@pytest.mark.parametrize(
    ("target", "limits", "words"),
    [
        (hostile.take_memory, Limits(memory_bytes=1 << 30), "needed more than 1 GiB of memory"),
        (hostile.take_memory, Limits(memory_bytes=1 << 30, devices=("/dev/zero",)), "needed more than 1 GiB of memory"),
        (hostile.loop, Limits(wall=timedelta(seconds=1.5)), "took longer than the 1.5 s it may"),
        (hostile.loop, Limits(cpu=timedelta(seconds=1)), "used more than the 1 s of CPU time it may"),
        (hostile.write_much, Limits(file_bytes=10 << 20), "wrote a file larger than 10 MiB"),
        (hostile.open_many, Limits(open_files=64), "OSError: [Errno 24] Too many open files"),
        (hostile.segfault, Limits(), "decoder crashed (SIGSEGV)"),
        (hostile.abort, Limits(), "decoder crashed (SIGABRT)"),
        (hostile.lie, Limits(), "answered with something it never returns"),
    ],
)
async def test_what_ends_a_child_is_told_in_words(target, limits: Limits, words: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Transient, match=words.replace("(", r"\(").replace(")", r"\)").replace("[", r"\[")):
        await isolate(target, scratch=tmp_path, limits=limits)


async def test_an_exit_without_a_result_is_told(tmp_path: Path) -> None:
    with pytest.raises(Transient, match=r"ended without a result \(exit status 3\)"):
        await isolate(hostile.leave, scratch=tmp_path, status=3)


async def test_output_never_blocks_and_never_piles_up(tmp_path: Path) -> None:
    assert await isolate(hostile.print_much, scratch=tmp_path, mebibytes=32) == 32


async def test_last_words_are_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Transient):
        await isolate(hostile.print_then_crash, scratch=tmp_path)
    logged = capsys.readouterr().out
    assert "the last words of a decoder" in logged
    assert "print_then_crash" in logged


async def test_a_result_is_bounded(tmp_path: Path) -> None:
    with pytest.raises(Transient, match="the result is too large"):
        await isolate(hostile.return_much, scratch=tmp_path, mebibytes=17)


@pytest.mark.parametrize(
    "frame",
    [
        b"Z\0\0\0\0",
        b"D\0\0\0\0",
        b"J\0\0\0\x02{}",
        b"=\x7f\xff\xff\xff",
        b"P\0\0\0\x01x",
        b"R\0\0\0\x01x",
        b"!\0\0\0\x02{}",
        b"!\0\0\0\x02[]",
        b"U\0\0\0\x04cage",
        b"C\0\0\0\x02{}",
    ],
)
async def test_a_child_that_speaks_nonsense_is_stopped(frame: bytes, tmp_path: Path) -> None:
    with pytest.raises(Transient, match="broke the protocol") as caught:
        await isolate(hostile.speak_nonsense, scratch=tmp_path, frame=frame.hex())
    assert not isinstance(caught.value, Outage)


async def test_a_child_without_a_source_reads_none(tmp_path: Path) -> None:
    with pytest.raises(Transient, match="broke the protocol"):
        await isolate(hostile.ask_for_a_file, scratch=tmp_path)


async def test_a_result_names_no_file_outside_scratch(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    for path in ("/etc/passwd", "../neighbour", "inside/../../neighbour"):
        with pytest.raises(Transient, match="outside its scratch directory"):
            await isolate(hostile.claim, scratch=tmp_path, paths=[Path("inside"), Path(path)])


async def test_a_cancelled_caller_kills_the_child_at_once(tmp_path: Path) -> None:
    working = asyncio.create_task(isolate(hostile.sleep, scratch=tmp_path))
    child = await _pid(tmp_path)
    began = time.monotonic()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert time.monotonic() - began < 1
    assert not Path(f"/proc/{child}").exists()


async def test_a_killed_parent_takes_its_child_along(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; sys.path.append(sys.argv[2]); from corpus import hostile;"
        "from clipstream.common.stage.isolate import isolate;"
        "asyncio.run(isolate(hostile.sleep, scratch=Path(sys.argv[1])))"
    )
    tests = str(Path(hostile.__file__).parents[1])
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(tmp_path), tests)
    child = await _pid(tmp_path)
    assert Path(f"/proc/{child}").exists()
    parent.kill()
    await parent.wait()
    await _until_gone(child)


async def test_a_child_that_stopped_reading_is_killed_with_its_caller(tmp_path: Path) -> None:
    working = asyncio.create_task(isolate(hostile.sleep, scratch=tmp_path))
    child = await _pid(tmp_path)
    os.kill(child, signal.SIGSTOP)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert not Path(f"/proc/{child}").exists()


async def _pid(scratch: Path) -> int:
    async with asyncio.timeout(20):
        while not (scratch / "pid").exists():
            await asyncio.sleep(0.01)
    return int((scratch / "pid").read_text())


def _alive(pid: int) -> bool:
    """Dead counts as dead, though perhaps not yet reaped by whoever inherited it."""
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def _until_gone(pid: int) -> None:
    async with asyncio.timeout(10):
        while _alive(pid):
            await asyncio.sleep(0.01)
