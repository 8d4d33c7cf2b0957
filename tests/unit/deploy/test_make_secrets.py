"""`make secrets`: every secret compose.yaml asks for, none twice, none overwritten, readable by its owner only."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def make_secrets(path: Path) -> str:
    return subprocess.run(
        [sys.executable, ROOT / "tools/make_secrets.py", path], capture_output=True, text=True, check=True
    ).stdout


def values(path: Path) -> dict[str, str]:
    return dict(
        line.split("=", 1) for line in path.read_text().splitlines() if "=" in line and not line.startswith("#")
    )


def test_writes_all_that_compose_insists_on(tmp_path: Path) -> None:
    files = (ROOT / "compose.yaml", ROOT / "deploy/docker/airgapped/compose.airgapped.yaml")
    wanted = {name for file in files for name in re.findall(r"\$\{([A-Z_]+):\?run make secrets\}", file.read_text())}
    make_secrets(tmp_path / ".env")
    made = values(tmp_path / ".env")
    assert wanted <= made.keys()
    assert len(set(made.values())) == len(made)


def test_only_the_owner_can_read_them(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# open to all\n")
    path.chmod(0o644)
    make_secrets(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_keeps_what_is_there_and_fills_what_is_empty(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(
        "# mine\nHTTP_PORT=80\nSECRET_KEY=a value of my own\nINTERNAL_TOKEN=\n# POSTGRES_PASSWORD=commented out\n"
    )
    make_secrets(path)
    lines = path.read_text().splitlines()
    assert lines[:3] == ["# mine", "HTTP_PORT=80", "SECRET_KEY=a value of my own"]
    assert re.fullmatch(r"INTERNAL_TOKEN=[0-9a-f]{40}", lines[3])
    assert lines[4] == "# POSTGRES_PASSWORD=commented out"
    assert "POSTGRES_PASSWORD" in values(path)


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    make_secrets(path)
    before = path.read_text()
    assert "nothing was changed" in make_secrets(path)
    assert path.read_text() == before


def test_the_object_store_takes_them(tmp_path: Path) -> None:
    """MinIO refuses access keys of more than 20 characters and secret keys of more than 40."""
    make_secrets(tmp_path / ".env")
    made = values(tmp_path / ".env")
    assert all(3 <= len(made[name]) <= 20 for name in ("MINIO_ACCESS_KEY", "MINIO_SIGNER_ACCESS_KEY"))
    assert all(
        8 <= len(made[name]) <= 40 for name in ("MINIO_SECRET_KEY", "MINIO_SIGNER_SECRET_KEY", "MINIO_ROOT_PASSWORD")
    )
