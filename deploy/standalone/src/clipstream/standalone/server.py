"""A private server: one process under its own directory, on loopback only, that ends with the process that started it."""

from __future__ import annotations

import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from clipstream.standalone.errors import CannotStart
from clipstream.standalone.identity import Identity, is_free, recall
from clipstream.standalone.locks import FileLock
from clipstream.standalone.logs import keep_short, tail
from clipstream.standalone.processes import end, running_in, spawn


class Server(ABC):
    """What all private servers share. `home` holds data, log, ports and credentials; a later start with the same
    `home` finds them again. `tools` is where the programs are looked for and brought to."""

    name: ClassVar[str]
    executables: ClassVar[frozenset[str]]
    port_names: ClassVar[tuple[str, ...]]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    start_patience_s: ClassVar[float] = 60
    stop_patience_s: ClassVar[float] = 30

    def __init__(self, home: Path, tools: Path) -> None:
        self.home = home.absolute()
        self.tools = tools.absolute()
        self.log = self.home / "server.log"
        self._lock = FileLock(self.home / "lock")
        self._identity: Identity | None = None
        self._main: subprocess.Popen[bytes] | None = None
        self._companions: list[subprocess.Popen[bytes]] = []

    @property
    def identity(self) -> Identity:
        """Ports and credentials; known from the first start on."""
        if self._identity is None:
            raise CannotStart(f"{self.name} has not been started yet.")
        return self._identity

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._main.pid if self._main is not None and self.alive() else None

    @property
    @abstractmethod
    def url(self) -> str:
        """The server's address, with its credentials."""

    @abstractmethod
    def _launch(self) -> subprocess.Popen[bytes]:
        """Write the configuration and start the process."""

    @abstractmethod
    def _ready(self) -> bool:
        """Whether the server answers as its clients need it."""

    def start(self) -> None:
        """Start the server and return once it answers. Does nothing where it runs already."""
        if self.alive():
            return
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._lock.acquire(wait=False):
            raise CannotStart(
                f"{self.name} in {self.home} is run by another process ({self._lock.holder()}): stop that one first."
            )
        try:
            end(running_in(self.home, self.executables), self.stop_patience_s)
            self._start_on_free_ports()
        except BaseException:
            self.kill()
            raise

    def _start_on_free_ports(self, tries: int = 3) -> None:
        """Between looking for a free port and listening on it, another program may be faster."""
        for remaining in reversed(range(tries)):
            self._identity = recall(self.home / "identity.json", self.port_names)
            keep_short(self.log)
            try:
                self._main = self._launch()
                self._await_ready()
            except CannotStart:
                self._end_processes()
                if not remaining or all(is_free(port) for port in self._identity.ports.values()):
                    raise
            else:
                return

    def stop(self) -> None:
        """End the server in good order; kill it where that takes too long."""
        if self._main is not None and self.alive():
            self._main.send_signal(self.stop_signal)
            try:
                self._main.wait(self.stop_patience_s)
            except subprocess.TimeoutExpired:
                self._main.kill()
        self._collect()
        self._lock.release()

    def kill(self) -> None:
        """Kill the server at once, as a power cut would."""
        self._end_processes()
        self._lock.release()

    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self._main is not None and self._main.poll() is None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _spawn(
        self, command: Sequence[str], env: Mapping[str, str], *, prefix: Sequence[str] = (), cwd: Path | None = None
    ) -> subprocess.Popen[bytes]:
        return spawn(
            command,
            cwd=cwd or self.home,
            env=env,
            log=self.log,
            prefix=prefix,
            death_signal=self.stop_signal.name.removeprefix("SIG"),
        )

    def _end_processes(self) -> None:
        if self._main is not None and self.alive():
            self._main.kill()
        self._collect()

    def _collect(self) -> None:
        """Wait for what has ended or is about to."""
        if self._main is not None:
            self._main.wait()
            self._main = None
        for companion in self._companions:
            companion.kill()
            companion.wait()
        self._companions.clear()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + self.start_patience_s
        while not self._ready():
            if not self.alive():
                raise CannotStart(f"{self.name} ended while it was starting. The end of {self.log}:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"{self.name} did not answer within {self.start_patience_s:.0f} s. "
                    f"The end of {self.log}:\n{tail(self.log)}"
                )
            time.sleep(0.05)
