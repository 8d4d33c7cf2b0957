"""The secrets of a run: made once, kept beside its data, readable by their owner only."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from clipstream.standalone.identity import write_private

NAMES = ("SECRET_KEY", "INTERNAL_TOKEN", "VECTORS_TOKEN")


def recall_secrets(path: Path, operator: Mapping[str, str]) -> dict[str, str]:
    """Every secret by name: the operator's, else the one in `path`, else a new one, which is then kept."""
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    kept = {name: known.get(name) or secrets.token_hex(32) for name in NAMES}
    if kept != known:
        write_private(path, json.dumps(kept, indent=2))
    return {name: operator.get(name, value) for name, value in kept.items()}
