"""Packages of the distribution, unpacked into a directory of ours: no root, and nothing of the system changes.

apt-get may download packages for anybody. It may refresh its lists for anybody too, where its state is kept elsewhere
(`Dir::State`) and the system's lock is left alone (`Debug::NoLocking`)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from clipstream.standalone.environment import plain
from clipstream.standalone.errors import CannotFetch
from clipstream.standalone.processes import run_to_end

_DIRECT_ONLY = ("--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances")


def unpack(package: str, wanted: Callable[[str], bool], into: Path) -> None:
    """Unpack `package` and those of its dependencies that are `wanted`, and libraries that the system lacks."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise CannotFetch("this system has no apt-get")
    work = into / ".apt"
    try:
        for archive in _archives(package, wanted, work):
            _run(["dpkg", "-x", str(archive), str(into)], into)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _archives(package: str, wanted: Callable[[str], bool], work: Path) -> list[Path]:
    """Downloaded by the system's package lists, or, where those are absent or out of date, by fresh ones of our own."""
    try:
        return _download(package, wanted, _options(work / "system"), work / "first")
    except CannotFetch:
        return _download(package, wanted, _refreshed_options(work / "own"), work / "second")


def _options(state: Path) -> list[str]:
    """Options for apt with a private cache."""
    (state / "cache/archives/partial").mkdir(parents=True)
    return ["-o", f"Dir::Cache={state / 'cache'}", "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root"]


def _refreshed_options(state: Path) -> list[str]:
    """The same with private, fresh package lists."""
    (state / "lists/partial").mkdir(parents=True)
    options = [*_options(state), "-o", f"Dir::State={state}", "-o", "Dir::State::status=/var/lib/dpkg/status"]
    _run(["apt-get", "update", "-qq", *options], state)
    return options


def _download(package: str, wanted: Callable[[str], bool], options: list[str], archives: Path) -> list[Path]:
    archives.mkdir()
    listing = _run(["apt-cache", "depends", "--recurse", *_DIRECT_ONLY, *options, package], archives)
    names = {line for line in listing.splitlines() if line and line[0].isalnum()}
    chosen = {name for name in names if wanted(name)} | _missing_libraries(names)
    _run(["apt-get", "download", "-qq", *options, package, *sorted(chosen - {package})], archives)
    return sorted(archives.glob("*.deb"))


def _missing_libraries(names: Iterable[str]) -> set[str]:
    libraries = {name for name in names if name.startswith("lib") and ":" not in name}
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *sorted(libraries)]
    listing = run_to_end(query).stdout  # the status is 1 where a name is unknown
    return libraries - {line.split()[0] for line in listing.splitlines() if line.endswith(" installed")}


def _run(command: list[str], cwd: Path) -> str:
    done = run_to_end(command, cwd=cwd, env=plain(cwd) | {"LC_ALL": "C"})
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("E:")] or done.stderr.splitlines()
        raise CannotFetch(f"{' '.join(command[:2])} failed ({lines[0] if lines else f'exit status {done.returncode}'})")
    return done.stdout
