"""Clipstream from Python: `Client`, and what it takes and raises. The models of all answers are in `clipstream.client.models`."""

from __future__ import annotations

from clipstream.client.bookmarks import Bookmarks
from clipstream.client.client import Client
from clipstream.client.credentials import ApiKey, Credentials, Keeper, Login, Nobody
from clipstream.client.errors import (
    AlreadyThere,
    ApiError,
    ClipstreamError,
    FileChanged,
    Misunderstood,
    SignedOut,
    Unreachable,
)
from clipstream.client.live import Gone, Snapshot, StreamEvent, Tick, VideoEvent
from clipstream.client.patience import Patience
from clipstream.client.sending import Sent
from clipstream.client.videos import FINAL

__all__ = [
    "FINAL",
    "AlreadyThere",
    "ApiError",
    "ApiKey",
    "Bookmarks",
    "Client",
    "ClipstreamError",
    "Credentials",
    "FileChanged",
    "Gone",
    "Keeper",
    "Login",
    "Misunderstood",
    "Nobody",
    "Patience",
    "Sent",
    "SignedOut",
    "Snapshot",
    "StreamEvent",
    "Tick",
    "Unreachable",
    "VideoEvent",
]
