"""Figures of a benchmark: a line each on the screen, all of them in bench/<what>.json."""

from __future__ import annotations

import json
import operator
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_COMPARE = {"<=": operator.le, ">=": operator.ge}


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `target` reads like `<= 1.05`; a missed one is written as missed."""

    name: str
    value: float
    unit: str
    target: str | None = None

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        sign, bound = self.target.split()
        return bool(_COMPARE[sign](self.value, float(bound)))


@dataclass(slots=True)
class Report:
    """Collects figures and prints each as it comes, so that a run that is broken off has said what it knew; `write` stores
    them."""

    what: str
    packages: tuple[str, ...] = ("av", "aio-pika", "faster-whisper", "onnxruntime")
    figures: list[Figure] = field(default_factory=list)

    def add(self, name: str, value: float, unit: str, target: str | None = None) -> None:
        figure = Figure(name, round(value, 4), unit, target)
        self.figures.append(figure)
        verdict = "" if figure.met is None else f" (target {figure.target}: {'met' if figure.met else 'MISSED'})"
        sys.stdout.write(f"{figure.name} = {figure.value:g} {figure.unit}{verdict}\n")
        sys.stdout.flush()

    def write(self) -> None:
        body = {
            "what": self.what,
            "command": f"make bench-{self.what}",
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
            "versions": {"python": platform.python_version(), **{name: version(name) for name in self.packages}},
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": subprocess.run(
                ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
            ).stdout.strip(),
            "figures": [asdict(figure) | {"met": figure.met} for figure in self.figures],
        }
        target = ROOT / "bench" / f"{self.what}.json"
        target.parent.mkdir(exist_ok=True)
        target.write_text(json.dumps(body, indent=2) + "\n")
