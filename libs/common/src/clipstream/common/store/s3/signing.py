"""Signed uploads. Size, type, metadata, checksum and "only if absent" are all signed headers: a request that differs in
one of them is refused by the store itself."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Permanent
from clipstream.common.store.objects import PresignedUpload


async def presigned_put(
    signer: Any,
    bucket: str,
    key: ObjectKey,
    *,
    size_bytes: int,
    content_type: str,
    metadata: Mapping[str, str],
    expires_in: timedelta,
    sha256: str | None,
) -> PresignedUpload:
    """`metadata` as it travels (percent-encoded); `sha256` in hex."""
    request = {
        "Bucket": bucket,
        "Key": key,
        "ContentLength": size_bytes,
        "ContentType": content_type,
        "IfNoneMatch": "*",
        "Metadata": dict(metadata),
    }
    headers = {"content-length": str(size_bytes), "content-type": content_type, "if-none-match": "*"}
    headers |= {f"x-amz-meta-{name}": value for name, value in metadata.items()}
    if sha256 is not None:
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        request |= {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": checksum}
        headers |= {"x-amz-checksum-sha256": checksum, "x-amz-sdk-checksum-algorithm": "SHA256"}
    url: str = await signer.generate_presigned_url(
        "put_object", Params=request, ExpiresIn=int(expires_in.total_seconds()), HttpMethod="PUT"
    )
    _require_signed(url, headers)
    return PresignedUpload("PUT", url, headers, key, expires_in)


async def presigned_part(
    signer: Any,
    bucket: str,
    key: ObjectKey,
    upload_id: str,
    number: int,
    *,
    size_bytes: int,
    expires_in: timedelta,
    sha256: str | None,
) -> PresignedUpload:
    """One part of an upload; `sha256` in hex, for an upload that was opened with checksums."""
    request = {
        "Bucket": bucket, "Key": key, "UploadId": upload_id, "PartNumber": number, "ContentLength": size_bytes,
    }  # fmt: skip
    headers = {"content-length": str(size_bytes)}
    if sha256 is not None:
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        request |= {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": checksum}
        headers |= {"x-amz-checksum-sha256": checksum, "x-amz-sdk-checksum-algorithm": "SHA256"}
    url: str = await signer.generate_presigned_url(
        "upload_part", Params=request, ExpiresIn=int(expires_in.total_seconds()), HttpMethod="PUT"
    )
    _require_signed(url, headers)
    return PresignedUpload("PUT", url, headers, key, expires_in)


def _require_signed(url: str, headers: Mapping[str, str]) -> None:
    signed = set(parse_qs(urlsplit(url).query)["X-Amz-SignedHeaders"][0].split(";"))
    if signed != {"host", *headers}:
        raise Permanent(f"The S3 client signed other headers than asked for: {sorted(signed ^ {'host', *headers})}.")
