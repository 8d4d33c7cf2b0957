"""What travels comes back the same."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from multidict import CIMultiDict

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.store.objects import ObjectInfo
from clipstream.common.store.proxy import wire

INFOS = [
    ObjectInfo(
        ObjectKey("a/\u00e9\n.mp4"), 5, "ab-2", datetime(2026, 1, 2, 3, 4, 5, 678, UTC), "video/mp4", "ff" * 32,
        {"filename": "\u00c4 100% \U0001f3ae\n", "empty": ""},
    ),
    ObjectInfo(ObjectKey("a"), 0, "e", datetime(2026, 1, 2, tzinfo=UTC)),
]  # fmt: skip


@pytest.mark.parametrize("info", INFOS)
def test_an_object_in_headers(info: ObjectInfo) -> None:
    headers = CIMultiDict(wire.headers_of(info) | {"Content-Type": info.content_type})
    assert all(value.isascii() and value.isprintable() for value in headers.values())
    assert wire.info_from(info.key, headers) == info


@pytest.mark.parametrize("info", INFOS)
def test_an_object_in_json(info: ObjectInfo) -> None:
    assert wire.Listed.model_validate_json(wire.Listed.of(info).model_dump_json()).info() == info


def test_headers_of_something_else_are_noticed() -> None:
    for headers in ({}, {"ETag": '"x"'}, {"ETag": '"x"', wire.SIZE: "x", wire.MODIFIED: "x"}):
        with pytest.raises((KeyError, ValueError)):
            wire.info_from(ObjectKey("a"), headers)
