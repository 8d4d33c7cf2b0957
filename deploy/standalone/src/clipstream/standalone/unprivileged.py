"""Running a server that refuses to be run by root, for an operator who is root.

First choice is a user namespace in which root's own id carries another number: files stay root's, and strangers need
not be able to read them. Where the kernel forbids that (most containers do) or the files are an ordinary user's (sudo),
it is whoever owns a directory above them, or else the user `nobody`."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clipstream.standalone.errors import CannotStart
from clipstream.standalone.processes import run_to_end


@dataclass(frozen=True)
class Identification:
    """How to start a program as somebody who is not root: what goes before its command, and the user and group that
    must own its files then."""

    prefix: tuple[str, ...]
    owner: tuple[int, int]

    def adopt(self, directory: Path) -> None:
        """Give `directory` and all in it to the user that the server will run as."""
        for path in (directory, *directory.rglob("*")):
            found = path.lstat()
            if (found.st_uid, found.st_gid) != self.owner:
                os.chown(path, *self.owner, follow_symlinks=False)


def identification(program: Path, home: Path) -> Identification:
    """How this process can start `program` with its data in `home`."""
    if os.geteuid() != 0:
        return Identification((), (os.geteuid(), os.getegid()))
    for candidate in _candidates(program, home):
        if _succeeds(*candidate.prefix, "test", "-x", str(program), "-a", "-x", str(home.parent)):
            return candidate
    raise CannotStart(
        f"PostgreSQL refuses to be run by root, and others may not enter {home.parent} or reach {program}: "
        "run Clipstream as an ordinary user, move it elsewhere, or set DATABASE_URL."
    )


def _candidates(program: Path, home: Path) -> Iterator[Identification]:
    nobody = pwd.getpwnam("nobody")
    yield Identification(
        ("unshare", "--user", f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}", "--"), (0, 0)
    )
    owners = [parent.stat() for path in (home, program) for parent in path.parents]
    for user, group in (*((found.st_uid, found.st_gid) for found in owners), (nobody.pw_uid, nobody.pw_gid)):
        if user != 0:
            yield Identification(
                ("setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--"), (user, group)
            )


def _succeeds(*command: str) -> bool:
    try:
        return run_to_end(command).returncode == 0
    except FileNotFoundError:
        return False
