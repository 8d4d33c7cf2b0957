"""A private PostgreSQL cluster: what was committed survives a power cut, and a password is always asked for."""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from clipstream.standalone.errors import CannotFetch, CannotStart
from clipstream.standalone.postgres import PostgreSQL, installation
from clipstream.standalone.processes import running_in
from integration.standalone.sockets import listening_addresses


def test_a_committed_row_survives_the_server_being_killed(postgres: PostgreSQL) -> None:
    with psycopg.connect(postgres.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'before the power cut' AS said")
    url = postgres.url
    postgres.kill()
    postgres.start()
    assert postgres.url == url
    with psycopg.connect(postgres.url) as connection:
        assert connection.execute("SELECT said FROM kept").fetchone() == ("before the power cut",)


def test_killed_in_the_middle_of_a_query_it_starts_again(postgres: PostgreSQL) -> None:
    """Backends outlive their killed parent for a moment and hold its shared memory."""
    busy = subprocess.Popen(
        [installation() / "psql", "-q", postgres.url, "-c", "SELECT count(*) FROM generate_series(1, 1e12)"],
        stderr=subprocess.DEVNULL,
    )
    while (
        postgres.query("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%1e12%' AND pid <> pg_backend_pid()")
        != "1"
    ):
        assert busy.poll() is None
    postgres.kill()
    postgres.start()
    assert postgres.query("SELECT 1") == "1"
    busy.wait()


def test_a_frozen_leftover_of_a_killed_run_is_removed(tmp_path: Path, tools: Path) -> None:
    class Impatient(PostgreSQL):
        stop_patience_s = 0.5

    start = (
        "import sys, time; from pathlib import Path; from clipstream.standalone.postgres import PostgreSQL as S; "
        "s = S(*map(Path, sys.argv[1:])); s.start(); print(s.pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", start, str(tmp_path / "postgres"), str(tools)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        frozen = int(starter.stdout.readline())
        os.kill(frozen, signal.SIGSTOP)
        starter.kill()
    assert frozen in running_in(tmp_path, {"postgres"})
    with Impatient(tmp_path / "postgres", tools) as again:
        assert frozen not in running_in(tmp_path, {"postgres"})
        assert again.query("SELECT 1") == "1"


def test_every_connection_needs_the_password(postgres: PostgreSQL) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url.replace(postgres.identity.password, "guess"))
    methods = postgres.query("SELECT DISTINCT auth_method FROM pg_hba_file_rules")
    assert methods == "scram-sha-256"


def test_it_is_durable_and_listens_on_loopback_only(postgres: PostgreSQL) -> None:
    assert postgres.query("SHOW fsync") == "on"
    assert postgres.query("SHOW synchronous_commit") == "on"
    sockets = listening_addresses(running_in(postgres.home, postgres.executables))
    assert sockets
    assert all(ipaddress.ip_address(address).is_loopback for address, _ in sockets)


def test_text_follows_unicode(postgres: PostgreSQL) -> None:
    assert postgres.query("SELECT lower('ÄÖŁ'), upper('é')") == "äöł|É"


def test_two_clusters_run_side_by_side_and_hold_more_databases(
    postgres: PostgreSQL, tmp_path: Path, tools: Path
) -> None:
    with PostgreSQL(tmp_path / "other", tools) as other:
        url = other.create_database("second")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE only_here ()")
        assert other.query("SELECT to_regclass('only_here')", "second") == "only_here"
        assert postgres.query("SELECT to_regclass('only_here')") == ""


def test_it_runs_where_nobody_else_may_enter(tmp_path: Path, tools: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with PostgreSQL(closed / "a directory with spaces" / "postgres", tools) as server:
        assert server.query("SELECT 1") == "1"


def test_a_half_made_cluster_is_made_anew(tmp_path: Path, tools: Path) -> None:
    draft = tmp_path / "postgres" / "data.draft"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    with PostgreSQL(tmp_path / "postgres", tools) as server:
        assert server.query("SELECT 1") == "1"


def test_data_of_a_version_that_is_not_here_is_left_alone(postgres: PostgreSQL) -> None:
    postgres.stop()
    (postgres.home / "data/PG_VERSION").write_text("9\n")
    with pytest.raises(CannotFetch, match="PostgreSQL 9, which made the existing data, is not here"):
        postgres.start()


def test_a_server_that_cannot_start_says_why(postgres: PostgreSQL) -> None:
    postgres.stop()
    shutil.rmtree(postgres.home / "data/global")
    with pytest.raises(CannotStart, match="pg_control"):
        postgres.start()
    assert not postgres.alive()
