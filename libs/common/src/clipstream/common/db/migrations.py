"""Brings a service's tables up to date before it begins. Any number of processes may do so at once: one works, the others
wait, find everything done and go on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
import structlog
from psycopg.sql import SQL, Identifier
from yoyo import get_backend, read_migrations

from clipstream.common.db.pool import PATIENCE, check_schema, plain_url
from clipstream.common.errors import Outage

_SHARED = Path(__file__).parent / "sql" / "migrations"
_LOCK = 6_311_860_243_710  # any number, the same for all of Clipstream


def migrate(database_url: str, directory: Path | None, *, schema: str, patience: timedelta = PATIENCE) -> None:
    """Apply what is new in `directory` (files `NNNN_name.sql`, in the order of their names) to `schema`, after the tables
    that every service has; each file in a transaction of its own. Blocks: call it in a thread."""
    check_schema(schema)
    with _alone(plain_url(database_url), patience) as connection:
        connection.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(schema)))
        backend = get_backend(_yoyo_url(database_url, schema))
        with closing(backend.connection):
            sources = [str(path) for path in (_SHARED, directory) if path is not None]
            backend.apply_migrations(backend.to_apply(read_migrations(*sources)))


@contextmanager
def _alone(url: str, patience: timedelta) -> Iterator[psycopg.Connection]:
    """A connection that holds the lock of migrations. yoyo's own lock is a row, which a killed process would leave."""
    with _connect(url, patience) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        yield connection


def _connect(url: str, patience: timedelta) -> psycopg.Connection:
    deadline = time.monotonic() + patience.total_seconds()
    while True:
        try:
            return psycopg.connect(url, autocommit=True, connect_timeout=10)
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise Outage(f"The database does not answer ({error}).") from error
            structlog.get_logger(__name__).info("database_awaited", reason=str(error))
            time.sleep(0.5)


def _yoyo_url(url: str, schema: str) -> str:
    parts = urlsplit(plain_url(url))
    query = urlencode([*parse_qsl(parts.query), ("schema", schema)])
    return urlunsplit(parts._replace(scheme="postgresql+psycopg", query=query))
