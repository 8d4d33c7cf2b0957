"""The object store as everything else sees it. The S3 API is the contract; disk and others keep to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from clipstream.common.contracts.keys import ObjectKey


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What HEAD tells. `sha256` is lowercase hex of the whole content where the store knows it without reading it."""

    key: ObjectKey
    size_bytes: int
    etag: str
    modified_at: datetime
    content_type: str = "application/octet-stream"
    sha256: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes of the disk that a store lies on."""

    total_bytes: int
    used_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class PresignedUpload:
    """An HTTP request that stores exactly one object; every header in `headers` is signed and must be sent as it stands."""

    method: str
    url: str
    headers: Mapping[str, str]
    key: ObjectKey
    expires_in: timedelta


class ObjectStore(Protocol):
    """Bytes by key. Every implementation passes tests/contract/test_object_store.py.

    Errors: `NotFound` where there is no such object, `Conflict` where a conditional write lost, `Outage` where the
    store does not answer. Metadata keys are lowercase ASCII, values any text (percent-encoded on the wire).
    """

    bucket: str

    async def head(self, key: ObjectKey) -> ObjectInfo: ...

    async def get(self, key: ObjectKey, *, limit: int = 16 << 20) -> bytes:
        """The whole of a small object; `Permanent` where it is larger than `limit` bytes."""
        ...

    async def read_range(self, key: ObjectKey, offset: int, length: int, *, etag: str | None = None) -> bytes:
        """Up to `length` bytes from `offset`; shorter only at the end; empty past it.

        With `etag`: `Conflict` if the object changed."""
        ...

    def stream(
        self, key: ObjectKey, *, offset: int = 0, length: int | None = None, chunk: int = 1 << 20
    ) -> AsyncIterator[bytes]: ...

    async def put(
        self,
        key: ObjectKey,
        body: bytes,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
    ) -> ObjectInfo:
        """Store `body`. With `if_absent`: `Conflict` where the key exists (If-None-Match: *)."""
        ...

    async def put_file(
        self,
        key: ObjectKey,
        path: Path,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
    ) -> ObjectInfo:
        """Store a local file, in parts where it is large; memory stays bounded. Nothing is visible before it is complete."""
        ...

    async def put_stream(
        self,
        key: ObjectKey,
        body: AsyncIterator[bytes],
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
    ) -> ObjectInfo:
        """Store what arrives, in parts; memory stays bounded. Nothing is visible before it is complete. An error that
        `body` raises is raised on, and nothing is stored."""
        ...

    async def delete(self, key: ObjectKey) -> None:
        """Remove one object; a missing one is fine."""
        ...

    async def delete_prefix(self, prefix: str) -> int:
        """Remove every object below `prefix`; how many."""
        ...

    def list(self, prefix: str, *, start_after: str = "") -> AsyncIterator[ObjectInfo]:
        """Objects below `prefix` in key order; `metadata` and `sha256` may be missing here."""
        ...

    async def presign_put(
        self,
        key: ObjectKey,
        *,
        size_bytes: int,
        content_type: str,
        metadata: Mapping[str, str],
        expires_in: timedelta,
        sha256: str | None = None,
    ) -> PresignedUpload:
        """A signed upload of exactly `size_bytes`, as the uploader's own machine sees the store."""
        ...

    async def presign_get(self, key: ObjectKey, *, expires_in: timedelta) -> str | None:
        """A signed URL as a browser sees it, or None where the gateway must serve the bytes itself (disk)."""
        ...

    async def space(self) -> Space | None:
        """How full the store is; None where it cannot say (S3)."""
        ...

    async def check(self) -> None:
        """Raises `Outage` with a sentence where the store cannot be used."""
        ...

    async def close(self) -> None: ...
