"""Migrations run once each, whoever starts when."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import asyncpg
import psycopg
import pytest

from clipstream.common.db import pool
from clipstream.common.db.errors import map_database_errors
from clipstream.common.db.migrations import migrate
from clipstream.common.errors import Outage
from integration.db.conftest import SCHEMA, settings_of

_MIGRATE = """
import sys
from datetime import timedelta
from pathlib import Path
from clipstream.common.db.migrations import migrate
print("ready", flush=True)
sys.stdin.readline()
migrate(sys.argv[1], Path(sys.argv[2]), schema=sys.argv[3], patience=timedelta(seconds=5))
"""


def tables(url: str, schema: str) -> set[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = %s", (schema,)
        )
        return {name for (name,) in found}


def test_the_second_run_changes_nothing(database_url: str, directory: Path) -> None:
    migrate(database_url, directory, schema=SCHEMA)
    before = tables(database_url, SCHEMA)
    assert {"widgets", "inbox", "outbox"} <= before
    migrate(database_url, directory, schema=SCHEMA)
    assert tables(database_url, SCHEMA) == before
    assert tables(database_url, "public") == set()
    (directory / "0002_gadgets.sql").write_text("CREATE TABLE gadgets (id int);")
    migrate(database_url, directory, schema=SCHEMA)
    assert tables(database_url, SCHEMA) == before | {"gadgets"}


def test_schemas_keep_their_own_books(database_url: str, directory: Path) -> None:
    for schema in ("one", "two"):
        migrate(database_url, directory, schema=schema)
        assert {"widgets", "inbox", "outbox"} <= tables(database_url, schema)


async def test_processes_that_start_together_migrate_once(database_url: str, directory: Path) -> None:
    command = [sys.executable, "-c", _MIGRATE, database_url, str(directory)]
    pipe = asyncio.subprocess.PIPE
    starting = [
        await asyncio.create_subprocess_exec(*command, schema, stdin=pipe, stdout=pipe)
        for schema in ("one", "two", "one", "two", "one", "one")
    ]
    for process in starting:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    await asyncio.gather(*(process.communicate(b"go\n") for process in starting))
    assert [process.returncode for process in starting] == [0] * 6
    for schema in ("one", "two"):
        with psycopg.connect(database_url) as connection:
            connection.execute(f"SET search_path TO {schema}")
            assert connection.execute("SELECT count(*) FROM widgets").fetchone() == (1,)


def test_a_failing_migration_leaves_nothing_and_is_tried_again(database_url: str, directory: Path) -> None:
    broken = directory / "0002_broken.sql"
    broken.write_text("CREATE TABLE half (id int);\nCREATE TABLE half (id int);\n")
    with pytest.raises(psycopg.errors.DuplicateTable):
        migrate(database_url, directory, schema=SCHEMA)
    assert "half" not in tables(database_url, SCHEMA)
    broken.write_text("CREATE TABLE half (id int);")
    migrate(database_url, directory, schema=SCHEMA)
    assert "half" in tables(database_url, SCHEMA)


async def test_the_pool_sees_its_own_schema_only(database_url: str, directory: Path) -> None:
    for schema in ("one", "two"):
        migrate(database_url, directory, schema=schema)
    opened = await pool.connect(
        settings_of(database_url.replace("postgresql://", "postgresql+psycopg://")), schema="two"
    )
    await opened.execute("INSERT INTO widgets VALUES (2)")
    assert await opened.fetchval("SELECT count(*) FROM one.widgets") == 1
    assert await opened.fetchval("SELECT count(*) FROM two.widgets") == 2
    await opened.close()


async def test_a_server_that_is_not_there_is_an_outage(database_url: str) -> None:
    nowhere = "postgresql://somebody:secret@127.0.0.1:1/nothing"
    with pytest.raises(Outage):
        await pool.connect(settings_of(nowhere), schema="one", patience=timedelta())
    with pytest.raises(Outage):
        migrate(nowhere, None, schema="one", patience=timedelta())


@pytest.mark.parametrize("name", ["", "two words", 'quo"te', "1st", "Upper"])
def test_a_schema_is_a_plain_name(name: str) -> None:
    with pytest.raises(ValueError, match="no schema name"):
        migrate("postgresql://nowhere/nothing", None, schema=name)


async def test_a_mistake_in_a_statement_is_no_outage(connections: asyncpg.Pool) -> None:
    with pytest.raises(asyncpg.UndefinedTableError), map_database_errors():
        await connections.execute("SELECT * FROM nothing")
