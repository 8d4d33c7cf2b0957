"""Starts the stack once for all tests of this tier, and takes it down with its volumes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from compose.stack import ROOT, Stack, free_port, run

START_S = 600


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stack]:
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0:
        pytest.fail("No Docker engine answers: `make airgapped` brings one (as root), then `make test-compose`.")
    env_file = tmp_path_factory.mktemp("compose") / ".env"
    run(sys.executable, ROOT / "tools/make_secrets.py", env_file)
    stack = Stack(f"clipstream-test-{os.getpid()}", env_file, free_port())
    with env_file.open("a") as file:
        file.write(f"HTTP_PORT={stack.http_port}\nSTORAGE_PORT={free_port()}\nPROMETHEUS_PORT={free_port()}\n")
        file.write(f"TRANSCODE_LADDER=480,720\nSTT_MODEL_DIR={ROOT / 'models/demo-whisper-tts-227w'}\n")
    request.config.stash[_STACK] = stack
    try:
        stack.compose(
            "up", "--detach", "--no-build", "--scale", "transcode=2", "--wait", "--wait-timeout", str(START_S),
            timeout_s=START_S + 60,
        )  # fmt: skip
        yield stack
    finally:
        stack.compose("down", "--volumes", "--remove-orphans", "--timeout", "10", timeout_s=180)


_STACK = pytest.StashKey[Stack]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows what the containers said last."""
    report = yield
    stack = item.config.stash.get(_STACK, None)
    if report.failed and stack is not None:
        report.sections.append(("containers", stack.logs()))
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Starting the stack alone may take longer than the other tiers' limit."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(1800))
