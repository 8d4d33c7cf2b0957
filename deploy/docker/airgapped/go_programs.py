"""Builds from source what the stand-ins and Compose need and Debian does not have: the object store, its client, and
Compose v2. Each once, into `.tools/`: `go_programs.py [minio|mc|compose]...`, all of them without arguments."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from clipstream.standalone import golang, minio
from clipstream.standalone.errors import CannotFetch
from clipstream.standalone.placing import place

TOOLS = Path(__file__).resolve().parents[3] / ".tools"
MC = "github.com/minio/mc@v0.0.0-20251106162529-77f82e18b540"
COMPOSE = "github.com/docker/compose/v2/cmd"
COMPOSE_VERSION = "v2.40.3"


def _build_compose(draft: Path) -> None:
    """`go install` refuses this module (its go.mod replaces others), so it is built from inside an empty one."""
    module = draft / "module"
    module.mkdir(parents=True)
    program = draft / "bin/docker-compose"
    flags = f"-s -w -X github.com/docker/compose/v2/internal.Version={COMPOSE_VERSION}"
    golang.run(["mod", "init", "clipstream/compose"], draft, TOOLS, cwd=module)
    golang.run(["get", f"{COMPOSE}@{COMPOSE_VERSION}"], draft, TOOLS, cwd=module)
    golang.run(["build", "-trimpath", "-ldflags", flags, "-o", str(program), COMPOSE], draft, TOOLS, cwd=module)


def _placed(name: str, build: Callable[[Path], None]) -> Callable[[], None]:
    return lambda: place(TOOLS / name, build)


BUILDS: dict[str, Callable[[], object]] = {
    "minio": lambda: minio.installation(TOOLS),
    "mc": _placed("mc", lambda draft: golang.build(MC, draft, TOOLS)),
    "compose": _placed("compose", _build_compose),
}


def main() -> None:
    for name in sys.argv[1:] or BUILDS:
        if not (TOOLS / name / "bin").exists():
            print(f"building {name} from source (minutes, once)", flush=True)
        BUILDS[name]()


if __name__ == "__main__":
    try:
        main()
    except CannotFetch as reason:
        sys.exit(str(reason))
