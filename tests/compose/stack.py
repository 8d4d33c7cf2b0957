"""compose.yaml, running: one project with its own name, secrets, ports and volumes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "deploy/docker/airgapped/compose.sh"
JOBS = {"broker-setup", "storage-volumes", "storage-setup"}  # end by themselves


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def run(*command: str | Path, timeout_s: float = 120, env: dict[str, str] | None = None) -> str:
    """The command's output; what it complained of is part of the error."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout_s, check=False, env=env, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


@dataclass(frozen=True)
class Container:
    """One container of the stack."""

    id: str
    service: str

    def facts(self) -> dict[str, Any]:
        (facts,) = json.loads(run("docker", "inspect", self.id))
        assert isinstance(facts, dict)
        return facts

    def execute(self, *command: str) -> str:
        return run("docker", "exec", self.id, *command)

    def kill(self) -> None:
        run("docker", "kill", "--signal", "KILL", self.id)

    def start(self) -> None:
        run("docker", "start", self.id)


@dataclass(frozen=True)
class Stack:
    """The whole of it. `env_file` holds the secrets and the published ports."""

    project: str
    env_file: Path
    http_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def compose(self, *arguments: str, timeout_s: float = 120) -> str:
        override = ROOT / "tests/compose/compose.test.yaml"
        return run(
            COMPOSE, "--file", override, "--project-name", self.project, *arguments,
            timeout_s=timeout_s, env={"PATH": os.defpath, "HOME": str(Path.home()), "ENV_FILE": str(self.env_file)},
        )  # fmt: skip

    def containers(self, *services: str, ended: bool = False) -> list[Container]:
        """Running containers of these services, or of all; with `ended` those that have stopped as well."""
        listed = self.compose("ps", "--format", "json", *(["--all"] if ended else []), *services)
        rows = [json.loads(line) for line in listed.splitlines()]
        return [Container(row["ID"], row["Service"]) for row in rows]

    def objects(self, prefix: str) -> list[str]:
        """Keys in the bucket, asked of the object store itself with root's credentials."""
        listed = self.compose(
            "run", "--rm", "--no-deps", "--entrypoint", "/bin/sh", "storage-setup", "-c",
            f'mc ls --recursive --json "store/$MINIO_BUCKET/{prefix}"',
        )  # fmt: skip
        return [prefix + json.loads(line)["key"] for line in listed.splitlines()]

    def logs(self) -> str:
        return self.compose("logs", "--no-color", "--tail", "40")
