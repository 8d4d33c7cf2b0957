"""What the S3 client raises, in Clipstream's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError

from clipstream.common.errors import ClipstreamError, Conflict, NotFound, Outage, Permanent, Transient

_MISSING = {"NoSuchKey", "NotFound", "404", "NoSuchVersion", "NoSuchUpload"}
_LOST = {"PreconditionFailed", "412", "ConditionalRequestConflict"}
_BUSY = {
    "SlowDown",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "ServiceUnavailable",
    "InternalError",
    "ThrottlingException",
}
_REFUSED = {"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"}


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Run S3 calls about `what` (an object key, a bucket) and raise only Clipstream's errors."""
    try:
        yield
    except ClientError as error:
        raise of_client_error(error, what) from error
    except (TimeoutError, BotoCoreError, aiohttp.ClientError, OSError) as error:
        raise Outage(f"The object store did not answer about {what} ({type(error).__name__}: {error}).") from error


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def of_client_error(error: ClientError, what: str) -> ClipstreamError:
    code = code_of(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code == "NoSuchBucket":
        return Outage(f"The bucket of {what} does not exist; it is created when a service starts.")
    if code in _MISSING:
        return NotFound(f"There is no object {what}.")
    if code in _LOST:
        return Conflict(f"The object {what} exists already or has changed.")
    if code in _REFUSED:
        return Outage(f"The object store refuses our credentials for {what} ({code}); check the access and secret key.")
    if code in _BUSY or status >= 500:
        return Outage(f"The object store cannot serve {what} at the moment ({code or status}).")
    if 400 <= status < 500:
        return Permanent(f"The object store refuses the request for {what} ({code}: {error}).")
    return Transient(f"The object store failed for {what} ({error}).")
