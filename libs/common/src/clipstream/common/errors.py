"""Every error that crosses a border in Clipstream. The message is a sentence that a user or an operator can act on;
without one, the docstring is the message. Third-party errors are translated into these at the adapter that knows them."""

from __future__ import annotations

from datetime import timedelta


class ClipstreamError(Exception):
    """Something in Clipstream failed."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class Permanent(ClipstreamError):
    """The work can never succeed with this input. It is not tried again."""


class Rejected(Permanent):
    """The uploaded file cannot be used. The message is for its uploader."""


class Transient(ClipstreamError):
    """The work failed, and another attempt may succeed."""

    def __init__(self, message: str | None = None, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EncoderFailed(Transient):
    """The hardware encoder failed. The clip is planned anew, for the software encoder."""


class Outage(Transient):
    """A server that the work needs is away. It is not the clip's fault and burns none of its attempts."""


class Cancelled(ClipstreamError):
    """The work was cancelled: the video was deleted, or the service is stopping."""


class NotFound(Permanent):
    """What was asked for does not exist."""


class Conflict(ClipstreamError):
    """It exists already, and existing things are not overwritten."""
