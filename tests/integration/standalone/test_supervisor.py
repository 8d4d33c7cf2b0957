"""Processes that are kept running: started in order, restarted, drained, and never left behind."""

from __future__ import annotations

import os
import signal
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from clipstream.standalone.environment import inherited
from clipstream.standalone.errors import CannotStart
from clipstream.standalone.identity import settle_ports
from clipstream.standalone.postgres import PostgreSQL
from clipstream.standalone.processes import marked
from clipstream.standalone.service import Service
from clipstream.standalone.supervisor import MARK, Supervisor

FAKE = Path(__file__).with_name("fake_service.py")


class Stage:
    """A supervisor over fake services, and what they wrote down."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.said: list[str] = []
        self.journal = directory / "journal"
        self.supervisor = Supervisor(directory, directory, self.said.append, stop_patience_s=5)

    def service(self, name: str, *options: str, tier: int = 1) -> Service:
        port = settle_ports({}, [name])[name]
        command = (sys.executable, str(FAKE), name, str(port), str(self.journal), *options)
        return Service(name, command, inherited(), f"http://127.0.0.1:{port}/health", tier)

    def history(self) -> list[str]:
        return self.journal.read_text().splitlines()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    hurry = Event()
    hurry.set()
    stage.supervisor.stop(hurry)
    assert marked(MARK, str(tmp_path)) == []


def _pid(service: Service) -> int:
    with urllib.request.urlopen(service.health) as answer:
        return int(answer.read())


def _eventually(stage: Stage, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        stage.supervisor.step()
        time.sleep(0.02)


def test_what_others_need_starts_first_and_stops_last(stage: Stage) -> None:
    stage.supervisor.start([stage.service("worker", "--drain-s", "0.5"), stage.service("engine", tier=0)])
    stage.supervisor.await_healthy(30)
    stage.supervisor.stop()
    assert [line for line in stage.history() if line.startswith("stop")] == ["stop worker", "stop engine"]


def test_a_killed_service_comes_back(stage: Stage) -> None:
    service = stage.service("worker")
    stage.supervisor.start([service])
    stage.supervisor.await_healthy(30)
    first = _pid(service)
    os.kill(first, signal.SIGKILL)
    _eventually(stage, lambda: stage.history().count("start worker") == 2)
    stage.supervisor.await_healthy(30)
    assert _pid(service) != first
    assert any("worker ended (killed by signal 9)" in line for line in stage.said)


def test_pauses_between_restarts_grow(stage: Stage) -> None:
    stage.supervisor.start([stage.service("worker", "--fail-times", "3")])
    stage.supervisor.await_healthy(30)
    assert [line.partition("again in ")[2].split()[0] for line in stage.said] == ["0.5", "1.0", "2.0"]


def test_a_service_that_cannot_start_is_named_with_its_last_words(stage: Stage) -> None:
    stage.supervisor.start([stage.service("sound"), stage.service("broken", "--fail-times", "99")])
    with pytest.raises(CannotStart, match=r"(?s)broken keeps ending while it starts.*the configuration is wrong"):
        stage.supervisor.await_healthy(60)


def test_a_service_that_never_gets_healthy_is_named(stage: Stage) -> None:
    silent = Service(
        "silent", (sys.executable, "-c", "import time; time.sleep(60)"), inherited(), "http://127.0.0.1:1/health"
    )
    stage.supervisor.start([silent])
    with pytest.raises(CannotStart, match="Not healthy after 1 s: silent"):
        stage.supervisor.await_healthy(1)


def test_one_that_ignores_the_request_to_stop_is_killed(stage: Stage) -> None:
    stage.supervisor.stop_patience_s = 0.5
    stage.supervisor.start([stage.service("deaf", "--ignore-term")])
    stage.supervisor.await_healthy(30)
    stage.supervisor.stop()
    assert marked(MARK, str(stage.directory)) == []


def test_hurry_ends_the_waiting(stage: Stage) -> None:
    stage.supervisor.stop_patience_s = 600
    stage.supervisor.start([stage.service("deaf", "--ignore-term")])
    stage.supervisor.await_healthy(30)
    hurry = Event()
    stopping = Thread(target=stage.supervisor.stop, args=(hurry,))
    stopping.start()
    stopping.join(0.3)
    assert stopping.is_alive()
    hurry.set()
    stopping.join(30)
    assert not stopping.is_alive()


def test_nothing_is_restarted_while_stopping(stage: Stage) -> None:
    stage.supervisor.start([stage.service("worker")])
    stage.supervisor.await_healthy(30)
    stage.supervisor.stop()
    stage.supervisor.step()
    assert stage.history() == ["start worker", "stop worker"]
    assert stage.said == []


def test_a_killed_server_comes_back_with_its_data(stage: Stage, postgres: PostgreSQL) -> None:
    postgres.query("CREATE TABLE kept ()")
    stage.supervisor.watch(postgres)
    killed = postgres.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    _eventually(stage, lambda: postgres.pid not in (None, killed))
    assert postgres.query("SELECT to_regclass('kept')") == "kept"
    assert any("PostgreSQL ended" in line for line in stage.said)
