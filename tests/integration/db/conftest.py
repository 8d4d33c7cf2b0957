"""A schema as a service finds it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from clipstream.common.db import pool
from clipstream.common.db.migrations import migrate
from clipstream.common.settings import DatabaseSettings

SCHEMA = "widgets"


def settings_of(url: str) -> DatabaseSettings:
    return DatabaseSettings.model_validate({"database_url": url})


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A service's own migrations."""
    path = tmp_path / "migrations"
    path.mkdir()
    (path / "0001_widgets.sql").write_text(
        "CREATE TABLE widgets (id int PRIMARY KEY);\nINSERT INTO widgets VALUES (1);\n"
    )
    return path


@pytest.fixture
async def connections(database_url: str, directory: Path) -> AsyncIterator[asyncpg.Pool]:
    migrate(database_url, directory, schema=SCHEMA)
    opened = await pool.connect(settings_of(database_url), schema=SCHEMA)
    yield opened
    await opened.close()
