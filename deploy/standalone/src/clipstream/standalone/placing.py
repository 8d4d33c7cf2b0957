"""Directories under the tools directory that are filled once, completely, however many processes ask for them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from clipstream.standalone.locks import locked


def place(target: Path, fill: Callable[[Path], None]) -> None:
    """Make sure that `target` is there: `fill` gets an empty directory beside it, which is renamed to `target` when it
    is complete. A second process waits for the first, and what an interrupted one left is removed."""
    target = target.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.parent / f".{target.name}.lock"):
        if target.exists():
            return
        for leftover in target.parent.glob(f".{target.name}-*"):
            shutil.rmtree(leftover)
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            draft.chmod(0o755)
            fill(draft)
            draft.rename(target)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
