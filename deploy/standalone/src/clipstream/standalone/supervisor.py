"""Keeps processes running: starts them, restarts what ends, and ends all in good order. Knows nothing of Clipstream."""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, RLock

from clipstream.standalone.errors import CannotStart, StandaloneError
from clipstream.standalone.logs import keep_short, tail
from clipstream.standalone.processes import spawn
from clipstream.standalone.server import Server
from clipstream.standalone.service import Service

MARK = "CLIPSTREAM_RUN"  # in the environment of every service: which run it belongs to
_LONGEST_PAUSE_S = 30.0
_SETTLED_AFTER_S = 60.0  # a service that ran this long has earned a quick restart
_HOPELESS_AFTER = 5  # failures in a row while starting up


@dataclass
class Kept:
    """A service and the process that runs it now."""

    service: Service
    log: Path
    process: subprocess.Popen[bytes] | None = None
    failures: int = 0
    started_at: float = 0.0
    start_again_at: float = 0.0

    def pause_s(self) -> float:
        """How long to wait before the next start, by how often it has failed in a row."""
        return min(_LONGEST_PAUSE_S, 0.5 * 2.0 ** (self.failures - 1))


@dataclass
class Supervisor:
    """All processes of one run. `directory` holds the run's state and names it, services work in `workplace`, and `say`
    gets one line for whatever the operator should know."""

    directory: Path
    workplace: Path
    say: Callable[[str], None]
    stop_patience_s: float = 35.0
    _kept: list[Kept] = field(default_factory=list)
    _servers: list[Server] = field(default_factory=list)
    _lock: RLock = field(default_factory=RLock)
    _servers_again_at: float = 0.0
    _stopping: bool = False

    @property
    def services(self) -> list[Service]:
        return [kept.service for kept in self._kept]

    def pid(self, name: str) -> int | None:
        """The process that runs a service now; None while it is down."""
        return next((k.process.pid for k in self._kept if k.service.name == name and k.process is not None), None)

    def watch(self, server: Server) -> None:
        """Take over a running server: it is started again when it ends, and stopped after all services."""
        self._servers.append(server)

    def start(self, services: Sequence[Service]) -> None:
        """Start services, those that others need first."""
        logs = self.directory / "logs"
        logs.mkdir(exist_ok=True)
        for service in sorted(services, key=lambda service: service.tier):
            kept = Kept(service, logs / f"{service.name}.log")
            self._kept.append(kept)
            self._spawn(kept)

    def step(self) -> None:
        """Look after everything once: start again what has ended, keep the logs short."""
        with self._lock:
            if self._stopping:
                return
            for server in self._servers:
                self._revive(server)
            for kept in self._kept:
                keep_short(kept.log)
                self._look_after(kept)

    def await_healthy(self, patience_s: float) -> None:
        """Return once every service answers that it is healthy."""
        deadline = time.monotonic() + patience_s
        waiting = list(self._kept)
        while waiting := [kept for kept in waiting if not is_healthy(kept.service.health)]:
            self.step()
            hopeless = next((kept for kept in waiting if kept.failures >= _HOPELESS_AFTER), None)
            if hopeless is not None:
                raise CannotStart(f"{hopeless.service.name} keeps ending while it starts. {_end_of(hopeless.log)}")
            if time.monotonic() > deadline:
                names = ", ".join(kept.service.name for kept in waiting)
                raise CannotStart(f"Not healthy after {patience_s:.0f} s: {names}. {_end_of(waiting[0].log)}")
            time.sleep(0.1)

    def stop(self, hurry: Event | None = None) -> None:
        """End everything: services, given time to finish what they are at, then what they need, then the servers.
        Once `hurry` is set, nothing is waited for any more."""
        self._stopping = True
        hurry = hurry or Event()
        with self._lock:
            for tier in sorted({kept.service.tier for kept in self._kept}, reverse=True):
                self._stop_tier([kept for kept in self._kept if kept.service.tier == tier], hurry)
            for server in reversed(self._servers):
                if hurry.is_set():
                    server.kill()
                server.stop()

    def _spawn(self, kept: Kept) -> None:
        environment = {**kept.service.environment, MARK: str(self.directory)}
        kept.process = spawn(
            kept.service.command, cwd=self.workplace, env=environment, log=kept.log, death_signal="TERM"
        )
        kept.started_at = time.monotonic()

    def _look_after(self, kept: Kept) -> None:
        now = time.monotonic()
        if kept.process is None:
            if now >= kept.start_again_at:
                self._spawn(kept)
            return
        status = kept.process.poll()
        if status is None:
            if kept.failures and now - kept.started_at > _SETTLED_AFTER_S:
                kept.failures = 0
            return
        kept.process = None
        kept.failures += 1
        kept.start_again_at = now + kept.pause_s()
        self.say(
            f"{kept.service.name} ended ({_ending(status)}); starting it again in {kept.pause_s():.1f} s. See {kept.log}"
        )

    def _revive(self, server: Server) -> None:
        keep_short(server.log)
        if server.alive() or time.monotonic() < self._servers_again_at:
            return
        self.say(f"{server.name} ended; starting it again. See {server.log}")
        try:
            server.start()
        except StandaloneError as reason:
            self._servers_again_at = time.monotonic() + _LONGEST_PAUSE_S
            self.say(str(reason))

    def _stop_tier(self, tier: list[Kept], hurry: Event) -> None:
        running = [kept.process for kept in tier if kept.process is not None and kept.process.poll() is None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + self.stop_patience_s
        while any(process.poll() is None for process in running) and time.monotonic() < deadline and not hurry.is_set():
            time.sleep(0.05)
        for process in running:
            if process.poll() is None:
                process.kill()
            process.wait()


def is_healthy(url: str) -> bool:
    """Whether a health address answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _ending(status: int) -> str:
    return f"killed by signal {-status}" if status < 0 else f"exit status {status}"


def _end_of(log: Path) -> str:
    return f"The end of {log}:\n{tail(log)}"
