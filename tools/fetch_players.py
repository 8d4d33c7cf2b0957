"""Brings the browsers' players that `make test-players` tries into a directory: `fetch_players.py DIRECTORY`.

Each is one file of one release on the npm registry (NPM_CONFIG_REGISTRY, else the public one), checked against its hash.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import sys
import tarfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Player:
    """A release, the registry's own hash of its tarball, and the one file in it that browsers load."""

    package: str
    version: str
    sha512: str
    script: str

    @property
    def file_name(self) -> str:
        return f"{self.package}-{self.version}.js"


PLAYERS = {
    "hls": Player(
        "hls.js",
        "1.7.4",
        "3GlxGdPvT2YHvQYOt+yOzT/DEior/qJVNIylHA77kgeoBTdQQqi70GwefNEUmHQeNGyjC8U62+bruqW/Tpm+tg==",
        "dist/hls.min.js",
    ),
    "shaka": Player(
        "shaka-player",
        "5.2.12",
        "vEsuVDI3+oLh+yqpjXexQZlg2XMUBI0VrqatDuKWacPaxAud6Uph5uCowUPLhUgNG5XKWCpoM4l1r8qYzWH+zg==",
        "dist/shaka-player.compiled.js",
    ),
    "dash": Player(
        "dashjs",
        "5.2.1",
        "axcJmLeJCTJMLUfQRErUJB1KOiU5iHF+DMLBc3FKeox1HPYtGUQlC6Xm5Mm6vhBUR3CHHLIPOqw0JDIqMtP+Dw==",
        "dist/modern/umd/dash.all.min.js",
    ),
}


def fetch(player: Player, into: Path) -> None:
    """Does nothing where it is there already."""
    target = into / player.file_name
    if target.exists():
        return
    registry = os.environ.get("NPM_CONFIG_REGISTRY", "https://registry.npmjs.org").rstrip("/")  # noqa: TID251 - npm's own
    address = f"{registry}/{player.package}/-/{player.package}-{player.version}.tgz"
    with urllib.request.urlopen(address, timeout=300) as answer:
        body = answer.read()
    if base64.b64encode(hashlib.sha512(body).digest()).decode() != player.sha512:
        raise SystemExit(f"{player.package} {player.version} does not have the hash that is pinned here; try again")
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        archive.extract(f"package/{player.script}", into, filter="data")
    (into / "package" / player.script).replace(target)
    shutil.rmtree(into / "package")


def main() -> None:
    into = Path(sys.argv[1])
    into.mkdir(parents=True, exist_ok=True)
    for player in PLAYERS.values():
        try:
            fetch(player, into)
        except OSError as error:
            raise SystemExit(
                f"{player.package} {player.version} could not be brought here ({error}); "
                "set NPM_CONFIG_REGISTRY to a registry that can be reached and run make again"
            ) from error


if __name__ == "__main__":
    main()
