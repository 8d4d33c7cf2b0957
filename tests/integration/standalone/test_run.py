"""A whole run on fake services: one at a time, addresses while it is up, and an end in good order however it is asked."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clipstream.standalone.endpoints import read
from clipstream.standalone.environment import inherited
from clipstream.standalone.processes import marked
from clipstream.standalone.run import stop
from clipstream.standalone.supervisor import MARK, is_healthy

# The command line with two fake services in place of ours, and servers that are never asked for anything.
_PROGRAM = """
import sys
from pathlib import Path
from clipstream.standalone import __main__ as program, run
from clipstream.standalone.service import Service

fake, journal, *options = sys.argv[1].split("|")
def services(site):
    return [
        Service(name, (sys.executable, fake, name, str(site.ports[name]), journal, *options), site.operator,
                site.internal(name) + "/health", tier)
        for name, tier in (("gateway", 1), ("vectors", 0))
    ]
program.Run = lambda *given, **named: run.Run(*given, **named, plan_services=services)
sys.exit(program.main(sys.argv[2:]))
"""
_FAKE = Path(__file__).with_name("fake_service.py")


class Started:
    """`run` in a process of its own."""

    def __init__(self, root: Path, *options: str) -> None:
        self.root, self.journal = root, root / "journal"
        self._description = "|".join([str(_FAKE), str(self.journal), *options])
        self.process = self.command("run")

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        environment = inherited() | {"AMQP_URL": "amqp://given", "DATABASE_URL": "postgresql://given"}
        line = [sys.executable, "-c", _PROGRAM, self._description, "--root", str(self.root), *arguments]
        return subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def until_up(self) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while (found := read(self.root / ".run/endpoints.json")) is None:
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return found

    def processes(self) -> list[int]:
        return marked(MARK, str(self.root / ".run"))


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    started = Started(tmp_path)
    started.until_up()
    yield started
    started.process.kill()
    started.process.communicate()
    stop(tmp_path)
    assert started.processes() == []


def test_while_it_is_up_its_endpoints_answer_and_are_private(started: Started) -> None:
    found = started.until_up()
    assert all(is_healthy(service["health"]) for service in found["services"].values())
    assert {"gateway", "metrics", "amqp", "database", "storage", "vectors"} <= found.keys()
    kept = [started.root / ".run" / name for name in ("endpoints.json", "secrets.json", "ports.json")]
    assert [path.stat().st_mode & 0o777 for path in kept] == [0o600] * 3


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_good_order(started: Started, how: signal.Signals) -> None:
    started.process.send_signal(how)
    assert started.process.wait(30) == 0
    assert started.processes() == []
    assert started.journal.read_text().splitlines()[-2:] == ["stop gateway", "stop vectors"]
    assert read(started.root / ".run/endpoints.json") is None


def test_a_second_run_says_so_in_one_line(started: Started) -> None:
    second = started.command("run")
    said, _ = second.communicate(timeout=30)
    assert second.returncode == 1
    assert said == f"Clipstream is running here already (process {started.process.pid}): end it with make stop.\n"
    assert started.process.poll() is None


def test_stop_ends_it_and_status_tells(started: Started) -> None:
    assert started.command("status").wait(30) == 0
    ending = started.command("stop")
    assert ending.communicate(timeout=60)[0] == "Clipstream has stopped.\n"
    assert started.process.wait(30) == 0
    assert started.command("status").wait(30) == 3
    assert started.command("stop").communicate(timeout=30)[0] == "Clipstream is not running here.\n"


def test_killed_it_leaves_nothing_and_the_next_run_keeps_ports_and_secrets(started: Started) -> None:
    before = started.until_up()
    secrets = json.loads((started.root / ".run/secrets.json").read_text())
    started.process.kill()
    started.process.wait()
    deadline = time.monotonic() + 30
    while started.processes():
        assert time.monotonic() < deadline, "services are still running"
        time.sleep(0.05)
    (started.root / ".run/endpoints.json").unlink()
    again = Started(started.root)
    try:
        assert again.until_up() == before
        assert json.loads((started.root / ".run/secrets.json").read_text()) == secrets
    finally:
        again.process.terminate()
        again.process.communicate(timeout=60)


def test_the_next_run_waits_for_what_a_killed_one_is_still_finishing(tmp_path: Path) -> None:
    first = Started(tmp_path, "--drain-s", "3")
    before = first.until_up()
    first.process.kill()
    first.process.communicate()
    (tmp_path / ".run/endpoints.json").unlink()
    second = Started(tmp_path)
    try:
        assert second.until_up() == before
        assert len(second.processes()) == 2
    finally:
        second.process.terminate()
        second.process.communicate(timeout=60)


def test_a_leftover_that_will_not_go_is_removed(tmp_path: Path) -> None:
    first = Started(tmp_path, "--ignore-term")
    first.until_up()
    first.process.kill()
    first.process.communicate()
    assert len(first.processes()) == 2
    assert stop(tmp_path, leftover_patience_s=0.5)
    assert first.processes() == []


def test_a_service_that_cannot_start_fails_the_run_and_leaves_nothing(tmp_path: Path) -> None:
    failing = Started(tmp_path, "--fail-times", "99")
    said, _ = failing.process.communicate(timeout=120)
    assert failing.process.returncode == 1
    assert "keeps ending while it starts" in said
    assert "the configuration is wrong" in said
    assert failing.processes() == []
    assert not (tmp_path / ".run/endpoints.json").exists()
