"""What travels between the media proxy and its clients. Both sides read and write it here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from pydantic import BaseModel

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.store.names import decode_metadata, encode_metadata
from clipstream.common.store.objects import ObjectInfo, Part, Space

UPLOAD = "/api/upload"
MEDIA = "/api/media"
HEALTH = "/api/health"
MULTIPART = "/api/multipart"
SPACE = "/api/space"
PAGE_LIMIT = 1000

FAULT = "Clipstream-Fault"
"""Names the error of clipstream.common.errors that a refusal stands for. A refusal without it comes from somebody between
the two (a load balancer, another server under this address), so that a wrong address never passes for a missing object."""

SIZE = "X-Object-Size"
MODIFIED = "X-Object-Modified"
SHA256 = "X-Object-Sha256"
METADATA = "X-Object-Meta-"


class Listed(BaseModel):
    """One object of a list, or one that was just stored."""

    key: str
    size: int
    etag: str
    modified_at: datetime
    content_type: str
    sha256: str | None = None
    metadata: dict[str, str] = {}

    @classmethod
    def of(cls, info: ObjectInfo) -> Listed:
        return cls(
            key=info.key,
            size=info.size_bytes,
            etag=info.etag,
            modified_at=info.modified_at,
            content_type=info.content_type,
            sha256=info.sha256,
            metadata=dict(info.metadata),
        )

    def info(self) -> ObjectInfo:
        return ObjectInfo(
            ObjectKey(self.key),
            self.size,
            self.etag,
            self.modified_at,
            self.content_type,
            self.sha256,
            self.metadata,
        )


class Page(BaseModel):
    """Objects in key order. `next_start_after` asks for the following page; none where this is the last."""

    objects: list[Listed]
    next_start_after: str | None = None


class Deleted(BaseModel):
    """How many objects were removed."""

    deleted: int


class Disk(BaseModel):
    """Bytes of the disk that the store lies on."""

    total: int
    used: int
    free: int


class Room(BaseModel):
    """How full the store is; no disk where it cannot say."""

    disk: Disk | None = None

    @classmethod
    def of(cls, space: Space | None) -> Room:
        if space is None:
            return cls()
        return cls(disk=Disk(total=space.total_bytes, used=space.used_bytes, free=space.free_bytes))

    def space(self) -> Space | None:
        return None if self.disk is None else Space(self.disk.total, self.disk.used, self.disk.free)


class Opening(BaseModel):
    """An upload in parts that begins."""

    key: str
    content_type: str
    metadata: dict[str, str] = {}
    checksums: bool = False


class Opened(BaseModel):
    """The store's name for it."""

    store_id: str


class Named(BaseModel):
    """An upload in parts that was opened before."""

    key: str
    store_id: str


class Done(BaseModel):
    """Nothing more is to be said."""


class ListedPart(BaseModel):
    """A part that has arrived."""

    number: int
    size: int
    etag: str
    modified_at: datetime
    sha256: str | None = None

    @classmethod
    def of(cls, part: Part) -> ListedPart:
        return cls(
            number=part.number,
            size=part.size_bytes,
            etag=part.etag,
            modified_at=part.modified_at,
            sha256=part.sha256,
        )

    def part(self) -> Part:
        return Part(self.number, self.size, self.etag, self.modified_at, self.sha256)


class Parts(BaseModel):
    """Parts in order."""

    parts: list[ListedPart]


class Completing(Named, Parts):
    """An upload that becomes an object."""

    if_absent: bool = True


def media_path(key: ObjectKey) -> str:
    """The path of an object, percent-encoded; the slashes of the key stay."""
    return f"{MEDIA}/{quote(key, safe='/')}"


def metadata_headers(metadata: Mapping[str, str] | None) -> dict[str, str]:
    return {METADATA + name: value for name, value in encode_metadata(metadata).items()}


def metadata_from(headers: Mapping[str, str]) -> dict[str, str]:
    start = len(METADATA)
    return decode_metadata({n[start:]: value for n, value in headers.items() if n.lower().startswith(METADATA.lower())})


def headers_of(info: ObjectInfo) -> dict[str, str]:
    """All that is known of an object, but for its content type, which HTTP has a header for."""
    known = {
        "ETag": f'"{info.etag}"',
        SIZE: str(info.size_bytes),
        MODIFIED: info.modified_at.isoformat(),
        **metadata_headers(info.metadata),
    }
    return known if info.sha256 is None else known | {SHA256: info.sha256}


def info_from(key: ObjectKey, headers: Mapping[str, str]) -> ObjectInfo:
    """The reverse. `KeyError` or `ValueError` where the headers are not those of an object."""
    return ObjectInfo(
        key,
        int(headers[SIZE]),
        headers["ETag"].removeprefix("W/").strip('"'),
        datetime.fromisoformat(headers[MODIFIED]),
        headers.get("Content-Type", "application/octet-stream"),
        headers.get(SHA256),
        metadata_from(headers),
    )
