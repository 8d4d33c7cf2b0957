"""What handlers work with, put together once in app.py and handed to them with every call."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from aiohttp import web
from asyncpg import Pool

from clipstream.common.bus.port import Bus
from clipstream.common.db.outbox import Relay
from clipstream.common.store.objects import ObjectStore
from clipstream.common.store.presign import UploadSigner
from clipstream.gateway.auth import AccessTokens
from clipstream.gateway.dispatcher import Dispatcher
from clipstream.gateway.estimates import Estimates
from clipstream.gateway.feed import Feed
from clipstream.gateway.idempotency import Answers
from clipstream.gateway.interventions import Interventions
from clipstream.gateway.limits import RateLimits
from clipstream.gateway.logins import Logins
from clipstream.gateway.oidc import IdTokens
from clipstream.gateway.pages import Pages
from clipstream.gateway.problems import Problem
from clipstream.gateway.projector import Projector
from clipstream.gateway.readers import Readers
from clipstream.gateway.refresh_cookie import RefreshCookie
from clipstream.gateway.search import SearchClient
from clipstream.gateway.sending import Sender
from clipstream.gateway.settings import Settings
from clipstream.gateway.sharing import Sharing
from clipstream.gateway.signing import MediaSigner
from clipstream.gateway.survey import Survey
from clipstream.gateway.thumbnails import Thumbnails
from clipstream.gateway.watching import Watching
from clipstream.gateway.workers import Workers


@dataclass
class Services:
    """The gateway's parts. One instance per process."""

    settings: Settings
    pool: Pool
    store: ObjectStore
    bus: Bus
    access_tokens: AccessTokens
    logins: Logins
    id_tokens: IdTokens | None
    refresh_cookie: RefreshCookie
    media: MediaSigner
    watching: Watching
    uploads: UploadSigner
    projector: Projector
    dispatcher: Dispatcher
    relay: Relay
    feed: Feed
    readers: Readers
    estimates: Estimates
    search: SearchClient
    limits: RateLimits
    answers: Answers
    interventions: Interventions
    survey: Survey
    workers: Workers
    thumbnails: Thumbnails
    sharing: Sharing
    pages: Pages
    webhooks: Sender
    started_at: float = field(default_factory=time.monotonic)
    streaming: set[asyncio.Task[str | None]] = field(default_factory=set)

    def api_url(self, request: web.Request, path: str) -> str:
        """A path as the client sees it: at the address the operator told, else the one the client used."""
        try:
            base = self.settings.public_api_url or str(request.url.origin())
        except ValueError as error:
            raise Problem(400, "Invalid request", ["the Host header names no host"]) from error
        return f"{base.rstrip('/')}{path}"


DOCUMENT: web.AppKey[bytes] = web.AppKey("document", bytes)
SERVICES: web.AppKey[Services] = web.AppKey("services", Services)
