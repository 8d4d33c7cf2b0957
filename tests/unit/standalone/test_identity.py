"""Ports and credentials that a private server keeps."""

from __future__ import annotations

import socket
from pathlib import Path

from clipstream.standalone.identity import recall, settle_ports


def test_it_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    first = recall(tmp_path / "identity.json", ["a", "b"])
    assert recall(tmp_path / "identity.json", ["a", "b"]) == first
    assert (tmp_path / "identity.json").stat().st_mode & 0o777 == 0o600
    assert recall(tmp_path / "other.json", ["a"]).password != first.password


def test_a_taken_port_is_replaced_and_the_others_stay() -> None:
    ports = settle_ports({}, ["a", "b"])
    with socket.create_server(("127.0.0.1", ports["a"])):
        again = settle_ports(ports, ["a", "b"])
    assert again["b"] == ports["b"]
    assert again["a"] != ports["a"]


def test_ports_never_collide_nor_meet_outgoing_connections() -> None:
    ports = settle_ports({}, [str(number) for number in range(200)])
    assert len(set(ports.values())) == 200
    assert max(ports.values()) < 32_768
