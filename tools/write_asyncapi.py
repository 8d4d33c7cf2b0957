"""Writes docs/asyncapi.yaml from the contracts. `--check` writes nothing and says whether the file is current."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import yaml

from clipstream.common.asyncapi import document

TARGET = Path(__file__).resolve().parent.parent / "docs" / "asyncapi.yaml"


def text() -> str:
    """The document as YAML."""
    return yaml.safe_dump(document(version("clipstream-common")), sort_keys=False, width=110, allow_unicode=True)


def main() -> int:
    if "--check" not in sys.argv:
        TARGET.write_text(text())
        return 0
    if TARGET.exists() and TARGET.read_text() == text():
        return 0
    sys.stdout.write("docs/asyncapi.yaml is stale: run `make asyncapi`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
