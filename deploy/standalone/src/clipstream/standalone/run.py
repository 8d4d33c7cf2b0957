"""One standalone run: servers, services, and what it leaves on disk. At most one at a time in a directory."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

from clipstream.standalone import endpoints, plan, rabbitmq
from clipstream.standalone.errors import CannotStart
from clipstream.standalone.identity import settle_ports, write_private
from clipstream.standalone.locks import FileLock
from clipstream.standalone.postgres import PostgreSQL
from clipstream.standalone.processes import end, marked
from clipstream.standalone.rabbitmq import RabbitMQ
from clipstream.standalone.secret import recall_secrets
from clipstream.standalone.server import Server
from clipstream.standalone.service import Service
from clipstream.standalone.supervisor import MARK, Supervisor

_LEFTOVER_PATIENCE_S = 30.0


@dataclass
class Run:
    """A run in `root`, up and healthy inside a `with` block. `plan_services` says what it consists of besides servers."""

    root: Path
    operator: Mapping[str, str]
    say: Callable[[str], None]
    scale: Mapping[str, int] = field(default_factory=dict)
    demo: bool = False
    patience_s: float = 180.0
    plan_services: Callable[[plan.Site], list[Service]] = plan.services
    ending: Event = field(default_factory=Event)  # set once the run is on its way down
    hurry: Event = field(default_factory=Event)  # set from outside: nothing is to be waited for any more

    def __post_init__(self) -> None:
        self.root = self.root.resolve()
        self.directory = self.root / ".run"
        self.supervisor = Supervisor(self.directory, self.root, self.say)
        self._lock = FileLock(self.directory / "lock")
        self._keeper = Thread(target=self._keep, name="keeper", daemon=True)

    def __enter__(self) -> Self:
        self.directory.mkdir(mode=0o700, exist_ok=True)
        if not self._lock.acquire(wait=False):
            raise CannotStart(
                f"Clipstream is running here already (process {self._lock.holder()}): end it with make stop."
            )
        try:
            self._clear()
            self.site = self._settle()
            self.supervisor.start(self.plan_services(self.site))
            self.say("Waiting until every service is healthy …")
            self.supervisor.await_healthy(self.patience_s)
            endpoints.publish(self.directory / "endpoints.json", self.site, self.supervisor.services)
            self._keeper.start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _clear(self) -> None:
        """Remove what a killed run left: processes, addresses, unfinished work."""
        end(marked(MARK, str(self.directory)), _LEFTOVER_PATIENCE_S)
        (self.directory / "endpoints.json").unlink(missing_ok=True)
        (self.directory / "vectors.sock").unlink(missing_ok=True)
        shutil.rmtree(self.directory / "scratch", ignore_errors=True)

    def _settle(self) -> plan.Site:
        """Bring up the servers that the operator has not named, and gather what the services are told."""
        amqp_url, database_url = self._servers()
        known = self.directory / "ports.json"
        wished = plan.wished_ports(self.operator, json.loads(known.read_text()) if known.exists() else {})
        ports = settle_ports(wished, ["public", "vectors socket", *plan.names(self.operator, self.scale)])
        if "GATEWAY_PORT" in self.operator and ports["public"] != wished["public"]:
            raise CannotStart(f"Port {wished['public']}, which GATEWAY_PORT names, is taken: free it or name another.")
        write_private(known, json.dumps(ports, indent=2))
        secrets = recall_secrets(self.directory / "secrets.json", self.operator)
        return plan.Site(self.root, self.operator, amqp_url, database_url, secrets, ports, self.scale, self.demo)

    def _servers(self) -> tuple[str, str]:
        tools = self.root / ".tools"
        wanted: dict[str, Server] = {
            "DATABASE_URL": PostgreSQL(self.directory / "postgres", tools),
            "AMQP_URL": RabbitMQ(self.directory / "rabbitmq", tools),
        }
        mine = {name: server for name, server in wanted.items() if name not in self.operator}
        if mine:
            self.say(f"Starting {' and '.join(server.name for server in mine.values())} …")
        if "AMQP_URL" in mine and not rabbitmq.is_here(tools):
            self.say("Bringing RabbitMQ into .tools/ (once; about 60 MB) …")
        for server in mine.values():
            self.supervisor.watch(server)
        with ThreadPoolExecutor() as pool:
            for started in [pool.submit(server.start) for server in mine.values()]:
                started.result()
        urls = {name: self.operator.get(name) or server.url for name, server in wanted.items()}
        return urls["AMQP_URL"], urls["DATABASE_URL"]

    def _keep(self) -> None:
        while not self.ending.wait(0.2):
            try:
                self.supervisor.step()
            except OSError as problem:  # no memory or no process to be had just now: what runs goes on meanwhile
                self.say(f"Not everything could be looked after: {problem}")
                self.ending.wait(5)

    def _end(self) -> None:
        self.ending.set()
        (self.directory / "endpoints.json").unlink(missing_ok=True)
        self.supervisor.stop(self.hurry)
        if self._keeper.is_alive():
            self._keeper.join()
        self._lock.release()


def stop(root: Path, patience_s: float = 90.0, leftover_patience_s: float = _LEFTOVER_PATIENCE_S) -> bool:
    """End the run in `root` in good order, or kill it where that takes too long. False where none is running."""
    directory = root.resolve() / ".run"
    if not directory.exists():
        return False
    lock = FileLock(directory / "lock")
    if lock.acquire(wait=False):
        leftover = marked(MARK, str(directory))
        end(leftover, leftover_patience_s)
        lock.release()
        return bool(leftover)
    holder = lock.holder()
    deadline = time.monotonic() + patience_s
    if holder is not None:
        os.kill(holder, signal.SIGTERM)
    while not lock.acquire(wait=False):
        if time.monotonic() > deadline and holder is not None:
            os.kill(holder, signal.SIGKILL)
            deadline += patience_s
        time.sleep(0.1)
    end(marked(MARK, str(directory)), leftover_patience_s)
    lock.release()
    return True
