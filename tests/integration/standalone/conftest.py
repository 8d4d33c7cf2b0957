"""Private servers for these tests: each under a directory of its own, programs from the repository's tools directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clipstream.standalone.postgres import PostgreSQL
from clipstream.standalone.rabbitmq import RabbitMQ


@pytest.fixture(scope="session")
def tools() -> Path:
    return Path(__file__).parents[3] / ".tools"


@pytest.fixture
def rabbitmq(tmp_path: Path, tools: Path) -> Iterator[RabbitMQ]:
    with RabbitMQ(tmp_path / "rabbitmq", tools) as server:
        yield server


@pytest.fixture
def postgres(tmp_path: Path, tools: Path) -> Iterator[PostgreSQL]:
    with PostgreSQL(tmp_path / "postgres", tools) as server:
        yield server
