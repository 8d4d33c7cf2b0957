"""A private RabbitMQ node, from the distribution's packages unpacked under the tools directory or from the system's."""

from __future__ import annotations

import re
import secrets
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from clipstream.standalone import debian
from clipstream.standalone.environment import plain
from clipstream.standalone.errors import CannotFetch, CannotStart
from clipstream.standalone.identity import write_private
from clipstream.standalone.placing import place
from clipstream.standalone.processes import run_to_end
from clipstream.standalone.server import Server

OLDEST = (3, 10)  # the first whose quorum queues know message TTL and at-least-once dead-lettering
_NODE = "rabbit@localhost"  # a name that resolves everywhere, whatever the machine calls itself

_ERLANG_ARGUMENTS = (  # inter-node traffic on loopback only, and no idle spinning of the schedulers
    "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"
)


@dataclass(frozen=True)
class Installation:
    """Where the programs are: RabbitMQ's scripts, Erlang's `bin`, and libraries that came along."""

    scripts: Path
    erlang: Path
    libraries: Path | None


def installation(tools: Path) -> Installation:
    """RabbitMQ from the tools directory, else the system's, else brought into the tools directory now."""
    found = _find(tools / "rabbitmq") or _find(Path("/"))
    if found is None:
        try:
            place(tools / "rabbitmq", _bring)
        except CannotFetch as reason:
            raise CannotFetch(
                f"RabbitMQ cannot be brought here: {reason}. Install rabbitmq-server "
                f"{'.'.join(map(str, OLDEST))} or later, or set AMQP_URL."
            ) from reason
        found = _find(tools / "rabbitmq")
    if found is None:
        raise CannotFetch(
            "This distribution's RabbitMQ is too old: install rabbitmq-server "
            f"{'.'.join(map(str, OLDEST))} or later, or set AMQP_URL."
        )
    return found


def is_here(tools: Path) -> bool:
    """Whether a start needs no download."""
    return _find(tools / "rabbitmq") is not None or _find(Path("/")) is not None


class RabbitMQ(Server):
    """One node with its own name server (epmd), cookie, user and ports. `guest` does not exist in it.

    A quorum queue survives `kill` from about a second after its creation: until then the broker (3.10) has its name
    only in memory, and finds an empty queue without a leader afterwards. `flush` ends that second."""

    name: ClassVar[str] = "RabbitMQ"
    executables: ClassVar[frozenset[str]] = frozenset({"beam.smp", "epmd", "erl_child_setup", "inet_gethost"})
    port_names: ClassVar[tuple[str, ...]] = ("amqp", "distribution", "epmd")
    start_patience_s: ClassVar[float] = 120

    @property
    def url(self) -> str:
        me = self.identity
        return f"amqp://{me.user}:{me.password}@127.0.0.1:{me.ports['amqp']}/"

    def control(self, *arguments: str, tool: str = "rabbitmqctl", timeout_s: float = 60) -> str:
        """Run `rabbitmqctl` (or `rabbitmq-queues` and so on) against this node and return what it printed."""
        found = installation(self.tools)
        command = [str(found.scripts / tool), "-q", *arguments]
        done = run_to_end(command, env=self._environment(found), cwd=self.home, timeout_s=timeout_s)
        if done.returncode != 0:
            raise CannotStart(f"{tool} {' '.join(arguments)} failed: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def flush(self) -> None:
        """Write the broker's directory of quorum queues to disk now, instead of half a second after the last change."""
        self.control("eval", "[dets:sync(Table) || Table <- dets:all()].")

    def _launch(self) -> subprocess.Popen[bytes]:
        for path in (self.tools, self.home):
            if re.search(r"\s", str(path)):
                raise CannotStart(
                    f"RabbitMQ's scripts cannot cope with the space in the path {path}: move Clipstream elsewhere, "
                    "or set AMQP_URL."
                )
        found = installation(self.tools)
        self._configure()
        environment = self._environment(found)
        epmd = [str(found.erlang / "epmd"), "-address", "127.0.0.1", "-port", str(self.identity.ports["epmd"])]
        self._companions.append(self._spawn(epmd, environment))
        _await_port(self.identity.ports["epmd"])
        return self._spawn([str(found.scripts / "rabbitmq-server")], environment)

    def _ready(self) -> bool:
        """The broker offers to talk AMQP: it sends Connection.Start (class 10, method 10) on channel 0."""
        try:
            with socket.create_connection(("127.0.0.1", self.identity.ports["amqp"]), timeout=2) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return connection.recv(11)[7:11] == b"\x00\x0a\x00\x0a"
        except OSError:
            return False

    def _configure(self) -> None:
        me = self.identity
        write_private(
            self.home / "rabbitmq.conf",
            "\n".join(
                [
                    f"listeners.tcp.1 = 127.0.0.1:{me.ports['amqp']}",
                    f"default_user = {me.user}",
                    f"default_pass = {me.password}",
                    "consumer_timeout = 7200000",
                    "raft.wal_max_size_bytes = 64000000",  # 512 MiB by default, several times that in memory
                    "log.file = false",
                    "log.console = true",
                    "",
                ]
            ),
        )
        (self.home / "enabled_plugins").write_text("[].\n")
        cookie = self.home / ".erlang.cookie"
        if not cookie.exists():
            write_private(cookie, secrets.token_hex(16), mode=0o400)

    def _environment(self, found: Installation) -> dict[str, str]:
        ports = self.identity.ports
        environment = plain(self.home) | {
            "RABBITMQ_NODENAME": _NODE,
            "RABBITMQ_DIST_PORT": str(ports["distribution"]),
            "RABBITMQ_MNESIA_BASE": str(self.home / "data"),
            "RABBITMQ_LOG_BASE": str(self.home),
            "RABBITMQ_CONFIG_FILE": str(self.home / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.home / "enabled_plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ERLANG_ARGUMENTS,
            "RUNNING_UNDER_SYSTEMD": "true",  # the start script becomes the server instead of watching over it
            "ERL_EPMD_PORT": str(ports["epmd"]),
            "ERL_CRASH_DUMP_SECONDS": "0",
        }
        environment["PATH"] = f"{found.erlang}:{environment.get('PATH', '/usr/bin:/bin')}"
        if found.libraries:
            environment["LD_LIBRARY_PATH"] = str(found.libraries)
        return environment


def _await_port(port: int) -> None:
    """Wait for epmd, which answers at once or never; RabbitMQ itself says so in its log where it is missing."""
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.05).close()
            return
        except OSError:
            continue


def _find(root: Path) -> Installation | None:
    erlang = root / "usr/lib/erlang/bin"
    versions = sorted((root / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"), key=_version)
    if not versions or _version(versions[-1]) < OLDEST or not (erlang / "epmd").exists():
        return None
    libraries = next(iter((root / "usr/lib").glob("*-linux-gnu")), None) if root != Path("/") else None
    return Installation(versions[-1] / "sbin", erlang, libraries)


def _version(home: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", home.name)[:3])


def _bring(draft: Path) -> None:
    debian.unpack("rabbitmq-server", lambda name: name.startswith("erlang-"), draft)
    here = 'ROOTDIR=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd -P)'
    for script in ("erl", "start"):  # both insist on /usr/lib/erlang, whatever ERL_ROOTDIR says
        path = draft / "usr/lib/erlang/bin" / script
        path.write_text(re.sub(r"(?m)ROOTDIR=/usr/lib/erlang$", here, path.read_text()))
