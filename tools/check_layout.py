"""Checks what no linter knows: the namespace has no __init__.py, and no Python file outgrows 300 lines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MAX_LINES = 300
GENERATED = {"libs/client/src/clipstream/client/models.py"}  # as long as the API has bodies; nobody edits it


def main() -> int:
    root = Path(__file__).resolve().parent.parent
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.py"], cwd=root, capture_output=True, text=True, check=True
    )
    files = [root / name for name in listed.stdout.splitlines()]
    problems = [
        f"{path.relative_to(root)}: breaks the clipstream namespace; remove it"
        for path in files
        if path.name == "__init__.py" and path.parent.name == "clipstream"
    ]
    for path in files:
        if str(path.relative_to(root)) in GENERATED:
            continue
        if path.exists() and (lines := path.read_text().count("\n")) > MAX_LINES:
            problems.append(f"{path.relative_to(root)}: {lines} lines; cut it at its second noun (limit {MAX_LINES})")
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
