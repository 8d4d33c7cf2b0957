"""Machines that lack a layer of the cage: the network stays closed by other means, or nothing is decoded at all."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from clipstream.common.errors import Outage
from clipstream.common.stage import isolate as parent
from clipstream.common.stage.channel import Kind
from clipstream.common.stage.isolate import isolate
from corpus import hostile

PROGRAM = """
import os, socket, sys
from clipstream.common.stage import cage, syscalls

def missing():
    raise syscalls.NoFilter("libseccomp could not be loaded (a test says so)")

syscalls.library = missing
if "no namespaces" in sys.argv:
    class Libc:
        def unshare(self, flags): return -1
    cage._libc = Libc()
bounds = cage.Bounds(cpu_s=60, memory_bytes=4 << 30, file_bytes=1 << 20, open_files=64)
try:
    print(cage.close(bounds, scratch=os.getcwd(), sources=[]).network)
except cage.Unsafe as error:
    print("refused:", error)
else:
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=2)
        print("connected")
    except OSError as error:
        print("not connected")
"""


def _run(directory: Path, *arguments: str) -> list[str]:
    """The program in a process of its own: what it gives up, it cannot have back."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()


def test_a_network_namespace_takes_the_place_of_seccomp(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert _run(tmp_path, str(server.getsockname()[1])) == ["namespace", "not connected"]


def test_without_either_nothing_is_decoded(tmp_path: Path) -> None:
    [line] = _run(tmp_path, "1", "no namespaces")
    assert line.startswith("refused: untrusted media is not decoded here")
    assert "Install libseccomp2" in line


async def test_a_refusal_is_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child is replaced by one that refuses, since this machine's own would not."""

    async def frame(reader: asyncio.StreamReader) -> tuple[object, bytes]:
        return Kind.UNSAFE, b"install libseccomp2"

    monkeypatch.setattr(parent, "_frame", frame)
    with pytest.raises(Outage, match="install libseccomp2"):
        await isolate(hostile.compute_in_threads, scratch=tmp_path)


async def test_a_missing_landlock_is_told_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(parent, "_warned", set())
    for _ in range(3):
        parent._warn_once({"landlock": 0, "network": "seccomp"})
    assert capsys.readouterr().out.count("landlock_missing") == 1
