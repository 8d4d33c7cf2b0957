"""The API's document: valid, committed as it is, and true to what the routes refuse."""

from __future__ import annotations

import json
from pathlib import Path

from openapi_spec_validator import validate

from clipstream.gateway.access import Access
from clipstream.gateway.app import ROUTES, openapi

COMMITTED = Path(__file__).parents[2] / "services" / "gateway" / "openapi.json"


def test_the_document_is_valid() -> None:
    validate(json.loads(openapi()))


def test_the_committed_document_is_current() -> None:
    assert COMMITTED.read_bytes() == openapi(), "run: python tools/write_openapi.py"


def test_every_route_says_what_it_is() -> None:
    described = json.loads(openapi())["paths"]
    for route in ROUTES:
        assert route.handler.__doc__, f"{route.method} {route.path} has no description"
    assert sum(len(operations) for operations in described.values()) == len(ROUTES)
    names = [operation["operationId"] for operations in described.values() for operation in operations.values()]
    assert len(set(names)) == len(names)


def test_exactly_the_public_and_signed_routes_need_no_token() -> None:
    described = json.loads(openapi())["paths"]
    open_routes = {
        (method.upper(), path)
        for path, methods in described.items()
        for method, op in methods.items()
        if "security" not in op
    }
    expected = {(r.method, r.path.replace(":.+", "")) for r in ROUTES if r.access in (Access.PUBLIC, Access.SIGNED)}
    assert open_routes == expected
