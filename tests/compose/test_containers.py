"""What each container may and may not do, and that nothing starts without secrets."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from compose.stack import COMPOSE, JOBS, Container, Stack


def test_nothing_starts_without_secrets(tmp_path: Path) -> None:
    (tmp_path / ".env").touch()
    done = subprocess.run(
        [COMPOSE, "config", "--quiet"], env={"ENV_FILE": str(tmp_path / ".env"), "PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "run make secrets" in done.stderr


def test_every_service_runs(stack: Stack) -> None:
    running = [container.service for container in stack.containers()]
    expected = set(stack.compose("config", "--services").split()) - JOBS
    assert set(running) == expected
    assert running.count("transcode") == 2


def test_containers_are_confined(stack: Stack) -> None:
    for container in stack.containers():
        host = container.facts()["HostConfig"]
        assert host["ReadonlyRootfs"], container.service
        assert host["CapDrop"] == ["ALL"], container.service
        assert not host["CapAdd"], container.service
        assert not host["Privileged"], container.service
        assert "no-new-privileges:true" in host["SecurityOpt"], container.service
        assert host["Memory"] > 0, container.service
        assert container.execute("id", "-u").strip() != "0", container.service
        with pytest.raises(AssertionError, match=r"Read-only file system|Permission denied"):
            container.execute("touch", "/made-by-test")


def test_stages_have_no_way_out(stack: Stack) -> None:
    """What decodes strangers' media reaches the servers it needs, and no other network: there is one more behind the
    gateway, and what is true of that is true of the internet."""
    (gateway,) = stack.containers("gateway")
    (ingest,) = stack.containers("ingest")
    (nginx,) = stack.containers("nginx")
    outside = nginx.facts()["NetworkSettings"]["Networks"][f"{stack.project}_edge"]["IPAddress"]
    assert connects(gateway, outside, 8080)
    assert not connects(ingest, outside, 8080)
    assert connects(ingest, "minio", 9000)


def connects(container: Container, host: str, port: int) -> bool:
    probe = f"import socket; socket.create_connection(({host!r}, {port}), timeout=3)"
    try:
        container.execute("python", "-c", probe)
    except AssertionError:
        return False
    return True


def test_only_the_edge_is_published(stack: Stack) -> None:
    for container in stack.containers():
        ports = container.facts()["NetworkSettings"]["Ports"]
        published = {port for port, places in ports.items() if places}
        expected = {"nginx": {"8080/tcp", "9000/tcp"}, "prometheus": {"9090/tcp"}}
        assert published == expected.get(container.service, set()), container.service


def test_jobs_can_run_again(stack: Stack) -> None:
    """A second `up` repeats what prepares the servers; it has to find everything as it left it."""
    for job in ("broker-setup", "storage-setup"):
        stack.compose("run", "--rm", "--no-deps", job)
