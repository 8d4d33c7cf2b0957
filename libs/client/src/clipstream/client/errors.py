"""What can go wrong between a program and the API. Each error reads as a sentence for whoever waits for the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID


class ClipstreamError(Exception):
    """Base of everything that the client raises on purpose."""


class Unreachable(ClipstreamError):
    """The server did not answer, after all the tries that the request may have."""


class Misunderstood(ClipstreamError):
    """Something answered that does not speak this API."""


class FileChanged(ClipstreamError):
    """The file is not the one any more whose upload began; what has arrived of it is of no use."""


class ApiError(ClipstreamError):
    """The server refused, with its own words. `retry_after` is in seconds where it named a time; `body` is all it said."""

    def __init__(
        self,
        status: int,
        error: str,
        details: Sequence[str] = (),
        *,
        retry_after: float | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{error}: {'; '.join(details)}" if details else error)
        self.status = status
        self.error = error
        self.details = list(details)
        self.retry_after = retry_after
        self.body = dict(body or {})


class SignedOut(ApiError):
    """401: nobody is signed in, or the login has ended for good."""


class AlreadyThere(ApiError):
    """409: the stream has this very file already, as `video_id`."""

    @property
    def video_id(self) -> UUID:
        return UUID(self.body["video"]["id"])


def refusal(status: int, reason: str, body: Mapping[str, Any], retry_after: float | None) -> ApiError:
    """The error that an answer stands for; `body` is empty where it was no JSON of ours (a proxy's page)."""
    kind = ApiError
    if status == 401:
        kind = SignedOut
    elif status == 409 and isinstance(body.get("video"), dict) and "id" in body["video"]:
        kind = AlreadyThere
    details = body.get("details")
    return kind(
        status,
        str(body.get("error") or f"The server answered {status} {reason}".strip()),
        [str(detail) for detail in details] if isinstance(details, list) else (),
        retry_after=retry_after,
        body=body,
    )
