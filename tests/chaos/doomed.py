"""Runs a transcode service that cannot make one part while a file is there: `doomed.py PART FILE MODULE`."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

from clipstream.common.contracts.events import PartPlanned
from clipstream.common.errors import Permanent
from clipstream.transcode import parts
from clipstream.transcode.made import PartMade

WORDS = "This part of the clip cannot be made."


def doom(part: int, while_there: Path) -> None:
    """Refuse the part."""
    make = parts._make

    async def refuse(event: PartPlanned, *rest: Any) -> PartMade:
        if event.part == part and while_there.exists():
            raise Permanent(WORDS)
        return await make(event, *rest)

    parts._make = refuse  # type: ignore[assignment]


if __name__ == "__main__":
    doom(int(sys.argv[1]), Path(sys.argv[2]))
    runpy.run_module(sys.argv[3], run_name="__main__")
