"""Servers end with the process that started them, however it ends, and whichever of its threads started them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clipstream.standalone.postgres import PostgreSQL
from clipstream.standalone.processes import running_in
from clipstream.standalone.rabbitmq import RabbitMQ

_STARTER = """
import sys, threading, time
from pathlib import Path
from clipstream.standalone.postgres import PostgreSQL
from clipstream.standalone.rabbitmq import RabbitMQ
home, tools = map(Path, sys.argv[1:])
servers = [RabbitMQ(home / "rabbitmq", tools), PostgreSQL(home / "postgres", tools)]
for server in servers:
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
time.sleep(0.5)
assert all(server.alive() for server in servers)
print("up", flush=True)
time.sleep(600)
"""
_PROGRAMS = RabbitMQ.executables | PostgreSQL.executables


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_when_the_starter_is_gone(tmp_path: Path, tools: Path, ending: signal.Signals) -> None:
    starter = subprocess.Popen([sys.executable, "-c", _STARTER, str(tmp_path), str(tools)], stdout=subprocess.PIPE)
    assert starter.stdout is not None
    assert starter.stdout.readline() == b"up\n"
    programs = {Path(f"/proc/{pid}/exe").readlink().name for pid in running_in(tmp_path, _PROGRAMS)}
    assert programs >= {"beam.smp", "epmd", "postgres"}
    starter.send_signal(ending)
    starter.wait()
    deadline = time.monotonic() + 30
    while running_in(tmp_path, _PROGRAMS):
        assert time.monotonic() < deadline, "servers are still running"
        time.sleep(0.1)
    starter.stdout.close()
