"""Puts the gateway together: its parts, its routes, and the tasks that run beside them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import aiohttp
import structlog
from aiohttp import web
from asyncpg import Pool

from clipstream.common.bus.port import Bus
from clipstream.common.db.outbox import Relay
from clipstream.common.obs.requests import Handler, observe
from clipstream.common.store.objects import ObjectStore
from clipstream.common.store.presign import UploadSigner
from clipstream.gateway import limits, middleware
from clipstream.gateway.auth import AccessTokens
from clipstream.gateway.cors import Cors
from clipstream.gateway.deadletters import DeadLetters
from clipstream.gateway.dispatcher import Dispatcher
from clipstream.gateway.estimates import Estimates
from clipstream.gateway.feed import Feed
from clipstream.gateway.idempotency import Answers
from clipstream.gateway.interventions import Interventions
from clipstream.gateway.issuer_keys import IssuerKeys
from clipstream.gateway.limits import RateLimits
from clipstream.gateway.logins import Logins
from clipstream.gateway.oidc import IdTokens
from clipstream.gateway.pages import Pages
from clipstream.gateway.progress import Progress
from clipstream.gateway.projector import Projector
from clipstream.gateway.readers import Readers
from clipstream.gateway.refresh_cookie import RefreshCookie
from clipstream.gateway.routes import (
    assets,
    auth,
    chunks,
    docs,
    duplicates,
    events,
    files,
    graphql,
    invites,
    keys,
    matches,
    media,
    members,
    notifications,
    oembed,
    operator,
    playback,
    search,
    sharing,
    social,
    statistics,
    streams,
    suggestions,
    system,
    timeline,
    transcripts,
    uploads,
    videos,
    webhooks,
)
from clipstream.gateway.routes.api import JSON_LIMIT, Route
from clipstream.gateway.routes.dispatch import mount
from clipstream.gateway.routes.openapi import document
from clipstream.gateway.search import SearchClient
from clipstream.gateway.sending import Sender
from clipstream.gateway.services import DOCUMENT, Services
from clipstream.gateway.settings import Settings
from clipstream.gateway.sharing import Sharing
from clipstream.gateway.signing import MediaSigner
from clipstream.gateway.sse import end_streams
from clipstream.gateway.survey import Survey
from clipstream.gateway.sweeper import Sweeper
from clipstream.gateway.thumbnails import Thumbnails
from clipstream.gateway.watching import Watching
from clipstream.gateway.workers import Workers

MIGRATIONS = Path(__file__).parent / "sql" / "migrations"
SCHEMA = "gateway"

log = structlog.get_logger(__name__)

_MODULES = (
    system,
    docs,
    auth,
    keys,
    streams,
    members,
    invites,
    videos,
    uploads,
    chunks,
    notifications,
    playback,
    events,
    matches,
    timeline,
    transcripts,
    search,
    suggestions,
    social,
    sharing,
    oembed,
    files,
    media,
    webhooks,
    operator,
    statistics,
    duplicates,
    assets,
    graphql,
)
ROUTES: tuple[Route, ...] = tuple(route for module in _MODULES for route in module.table.routes)


def openapi() -> bytes:
    """The API's document as it is committed and served."""
    return (json.dumps(document(ROUTES), indent=2, ensure_ascii=False) + "\n").encode()


class Gateway:
    """The gateway over its pool, store and bus: the application to serve, and the tasks to run beside it."""

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        store: ObjectStore,
        bus: Bus,
        uploads: UploadSigner,
        session: aiohttp.ClientSession,
    ) -> None:
        secret = settings.secret_key.get_secret_value()
        access_tokens = AccessTokens(secret, settings.access_token_life)
        feed = Feed(pool)
        self.bus = bus
        self.relay = Relay(pool, bus)
        self.projector = Projector(pool, feed, queued_after=settings.queued_after)
        self.dispatcher = Dispatcher(pool, self.projector, self.relay, bus, most=settings.max_active_clips_per_user)
        self.progress = Progress(
            pool, feed, running=settings.stale_after, retrying=settings.retrying_after, queued=settings.queued_after
        )
        self.sweeper = Sweeper(pool, store, self.projector, self.dispatcher, self.progress, settings)
        self.dead_letters = DeadLetters(pool)
        self.webhooks = Sender(pool, settings)
        self.services = Services(
            settings=settings,
            pool=pool,
            store=store,
            bus=bus,
            access_tokens=access_tokens,
            logins=Logins(pool, access_tokens, settings.refresh_token_life, settings.site_admins),
            id_tokens=_id_tokens(settings, session),
            refresh_cookie=RefreshCookie(settings.public_api_url, settings.public_web_url, settings.refresh_token_life),
            media=MediaSigner(secret, settings.media_token_life),
            watching=Watching(pool),
            uploads=uploads,
            projector=self.projector,
            dispatcher=self.dispatcher,
            relay=self.relay,
            feed=feed,
            readers=Readers(pool),
            estimates=Estimates(pool),
            search=SearchClient(session, settings.search_url, settings.internal_token),
            answers=Answers(pool, secret),
            limits=RateLimits(limits.parse(settings.rate_limits), settings.trusted_proxies),
            interventions=Interventions(pool, self.projector, self.dispatcher, self.relay, bus),
            survey=Survey(store),
            workers=Workers(bus),
            thumbnails=Thumbnails(store),
            sharing=Sharing(pool, secret),
            pages=Pages(),
            webhooks=self.webhooks,
        )
        self.application = self._application(Cors(settings.web_origins))

    def _application(self, cors: Cors) -> web.Application:
        @web.middleware
        async def preflights(request: web.Request, handler: Handler) -> web.StreamResponse:
            return cors.preflight(request) or await handler(request)

        application = web.Application(middlewares=[observe, middleware.shape, preflights], client_max_size=JSON_LIMIT)
        application[DOCUMENT] = openapi()
        application.on_response_prepare.append(middleware.protect)
        application.on_response_prepare.append(cors.mark)
        application.on_shutdown.append(lambda _: end_streams(self.services.streaming))
        mount(application, list(ROUTES), self.services)
        return application

    async def consume(self) -> None:
        """Begin to hear progress, events and dead letters."""
        await self.progress.listen(self.bus)
        await self.dispatcher.run()
        await self.bus.consume_dead(self.dead_letters.handle)

    @property
    def background(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """What runs beside the API for as long as the process lives."""
        services = self.services
        beside = (services.feed.run, services.readers.run, services.survey.run, self.webhooks.run)
        return (self.relay.run, self.progress.run, self.sweeper.run, *beside)


def _id_tokens(settings: Settings, session: aiohttp.ClientSession) -> IdTokens | None:
    """None where no issuer knows this place as its client."""
    if settings.oidc_client_id is None:
        return None
    keys = IssuerKeys(session, settings.oidc_issuer, settings.oidc_jwks_url)
    return IdTokens(keys, settings.oidc_issuer, settings.oidc_client_id)
