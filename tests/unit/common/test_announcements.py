"""Recorded notifications of MinIO, and those that AWS and Ceph document, all lead to the same few facts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clipstream.common.contracts.announcements import Announcement, Malformed, announced

EVENTS = Path(__file__).parents[2] / "fixtures" / "events"
BUCKET = "raw-uploads"
ABC = "900150983cd24fb0d6963f7d28e17f72"


def _announced(name: str) -> list[Announcement]:
    return announced((EVENTS / f"{name}.json").read_bytes())


@pytest.mark.parametrize(
    ("name", "key", "etag", "size"),
    [
        ("minio_put", "raw/01J/clip.mp4", ABC, 3),
        ("minio_webhook_put", "raw/a b.mp4", "c4ca4238a0b923820dcc509a6f75849b", 1),
        ("minio_put_odd_key", "raw/u 1/ü+%2F%.mp4", ABC, 3),
        ("minio_put_emoji_key", "raw/🎮 a&b=c?d#e~f*(g)'h\"i<j>.mp4", ABC, 3),
        ("minio_zero_byte", "raw/empty", "d41d8cd98f00b204e9800998ecf8427e", None),
        ("aws_put", "raw/u 1/ü+%.mp4", ABC, 3),
        ("aws_multipart", "raw/large.mp4", "79b281060d337b9b2b84ccf390adcf74-2", 5242881),
        ("aws_eventbridge", "raw/u 1/ü+%.mp4", ABC, 3),
        ("ceph_put", "raw/u 1/ü+%2F%.mp4", ABC, 3),
        ("ceph_multipart", "raw/large.mp4", "79b281060d337b9b2b84ccf390adcf74-2", 5242881),
    ],
)
def test_a_stored_object_is_found(name: str, key: str, etag: str, size: int | None) -> None:
    assert _announced(name) == [Announcement(BUCKET, key, etag, size)]


@pytest.mark.parametrize("path", sorted(EVENTS.glob("minio_*.json")), ids=lambda path: path.stem)
def test_minio_says_the_key_twice_and_both_agree(path: Path) -> None:
    for hint in announced(path.read_bytes()):
        assert f"{hint.bucket}/{hint.key}" == json.loads(path.read_bytes())["Key"]


@pytest.mark.parametrize(
    "name", ["copy", "multipart_complete", "post_policy", "presigned_put", "versioned_put", "overwrite_same_key"]
)
def test_every_way_to_store_counts(name: str) -> None:
    assert len(_announced(f"minio_{name}")) == 1


@pytest.mark.parametrize(
    "name",
    [
        "minio_put_tagging",
        "minio_delete",
        "minio_delete_missing",
        "minio_versioned_delete_marker",
        "aws_test_event",
        "ceph_delete",
    ],
)
def test_what_stores_nothing_is_passed_over(name: str) -> None:
    assert _announced(name) == []


def test_several_records_in_one_message() -> None:
    assert [hint.key for hint in _announced("aws_two_records")] == ["raw/a.mp4", "raw/c.mp4"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"Records": 1}',
        b'{"Records": [{"eventName": "s3:ObjectCreated:Put"}]}',
        b'{"Records": [{"eventName": "s3:ObjectCreated:Put", "s3": {"object": {}, "bucket": {"name": "b"}}}]}',
        b'{"Records": [{"eventName": "s3:ObjectCreated:Put", "s3": {"object": {"key": 1}, "bucket": {"name": "b"}}}]}',
        b'{"detail-type": "Object Created"}',
    ],
)
def test_anything_else_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        announced(body)


def test_facts_of_the_wrong_kind_are_left_out() -> None:
    body = {
        "Records": [
            {
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": "b"}, "object": {"key": "k", "eTag": 5, "size": "many"}},
            }
        ]
    }
    assert announced(json.dumps(body).encode()) == [Announcement("b", "k", None, None)]
