"""Puts a private uv into a directory on a machine that has nothing but Python: `bootstrap_uv.py VERSION DIRECTORY`.

Tries a virtual environment first; Debian's python3 alone has neither venv nor pip, so the last way reads the package
index itself (PIP_INDEX_URL, else the one of uv.lock), checks the wheel's hash and unpacks the binary.
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path


def by_venv(version: str, target: Path) -> bool:
    made = subprocess.run([sys.executable, "-m", "venv", str(target)], capture_output=True, check=False)
    if made.returncode:
        return False
    return (
        subprocess.run([str(target / "bin" / "pip"), "install", "--quiet", f"uv=={version}"], check=False).returncode
        == 0
    )


def locked_index() -> str:
    """The package index that uv.lock was made with."""
    lock = (Path(__file__).resolve().parent.parent / "uv.lock").read_text()
    return lock.split('registry = "', 1)[1].split('"', 1)[0]


def by_index(version: str, target: Path) -> bool:
    index = (os.environ.get("PIP_INDEX_URL") or locked_index()).rstrip("/")  # noqa: TID251 - runs before any Settings exist
    libc = "manylinux" if platform.libc_ver()[0] == "glibc" else "musllinux"
    with urllib.request.urlopen(f"{index}/uv/", timeout=60) as answer:
        links = re.findall(r'href="([^"#]+)#sha256=([0-9a-f]{64})"', answer.read().decode())
        base = answer.url
    wheel = re.compile(rf"/uv-{re.escape(version)}-[^/]*{libc}[^/]*{platform.machine()}\.whl$")
    href, sha256 = next((href, digest) for href, digest in links if wheel.search("/" + href))
    with urllib.request.urlopen(urllib.parse.urljoin(base, href), timeout=300) as answer:
        body = answer.read()
    if hashlib.sha256(body).hexdigest() != sha256:
        raise SystemExit("the downloaded uv does not have the hash that the package index names; try again")
    (target / "bin").mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        name = next(n for n in archive.namelist() if n.endswith("/scripts/uv"))
        (target / "bin" / "uv").write_bytes(archive.read(name))
    (target / "bin" / "uv").chmod(0o755)
    return True


def main() -> None:
    version, target = sys.argv[1], Path(sys.argv[2])
    try:
        if by_venv(version, target):
            return
        shutil.rmtree(target, ignore_errors=True)
        by_index(version, target)
    except (OSError, StopIteration, KeyError, ValueError) as error:
        raise SystemExit(
            f"uv {version} could not be brought here ({error}); install uv yourself and run make again"
        ) from error


if __name__ == "__main__":
    main()
