"""A good output to break."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from corpus.published import write_output
from validators.finding import Finding, Read, faults
from validators.output import check_output

Files = Mapping[str, bytes]


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A published output without a fault, by file name."""
    directory = write_output(tmp_path_factory.mktemp("published"), seed=1, duration_s=6)
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def reader(files: Files) -> Read:
    def read(name: str) -> bytes:
        if name not in files:
            raise FileNotFoundError(name)
        return files[name]

    return read


def found(files: Files) -> list[Finding]:
    return faults(check_output(reader(files)))


def found_with(files: Files, name: str, data: bytes | None) -> list[Finding]:
    """What is found once a file is another one, or is gone."""
    assert data != files[name], "nothing was broken"
    rest = {other: held for other, held in files.items() if other != name}
    return found(rest if data is None else rest | {name: data})
