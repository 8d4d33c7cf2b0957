"""Sends what webhooks are to hear, until they have heard it: with a signature, and again over a day where it fails.

No transaction is open while something is sent: a delivery is taken by a lease, and what came of it is written after.
Several gateways may send at once. Log lines name webhooks by their ids, since their addresses can hold secrets.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import structlog
from aiohttp import hdrs
from asyncpg import Pool

from clipstream.common.db.errors import map_database_errors
from clipstream.common.errors import Transient
from clipstream.gateway import outgoing
from clipstream.gateway.discord import discord_body
from clipstream.gateway.outgoing import Unreachable
from clipstream.gateway.repository import deliveries, webhooks
from clipstream.gateway.repository.deliveries import Claimed
from clipstream.gateway.repository.webhooks import Kind
from clipstream.gateway.settings import Settings
from clipstream.gateway.webhooks import Message, Secrets

AT_ONCE = 16
PER_PERSON = 4  # of them, to webhooks that one person made
LEASE = timedelta(seconds=60)  # longer than one request can take
LOOK_EVERY_S = 1.0
_WAITS_S = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 28_800)  # about a day
LONGEST_WAIT_S = 86_400
GONE = "The receiver answered 410: the webhook is disabled."
AGENT = "Clipstream-Webhooks/1"

log = structlog.get_logger(__name__)


class Sender:
    """Sends deliveries that are due."""

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self.secrets = Secrets(settings.secret_key.get_secret_value())
        self.allowed_hosts = frozenset(settings.webhook_allowed_hosts)
        self._pool = pool
        self._web_url = settings.public_web_url or settings.public_api_url
        self._sending: dict[asyncio.Task[None], UUID] = {}
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """Look at once: something was added that is due."""
        self._awake.set()

    async def run(self) -> None:
        """Send until cancelled; what was on its way then is sent again after its lease."""
        try:
            while True:
                self._awake.clear()
                try:
                    await self._start()
                except Transient as error:
                    log.warning("webhooks_wait", reason=str(error))
                try:
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._awake.wait()
                except TimeoutError:
                    pass
        finally:
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)

    async def _start(self) -> None:
        """Begin to send what is due, as far as there is room."""
        room = AT_ONCE - len(self._sending)
        if room <= 0:
            return
        with map_database_errors():
            busy = list(self._sending.values())
            taken = await deliveries.claim(self._pool, room, lease=LEASE, busy=busy, per_person=PER_PERSON)
        for claimed in taken:
            task = asyncio.ensure_future(self._send(claimed))
            self._sending[task] = claimed.webhook_id
            task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        del self._sending[task]
        self._awake.set()

    async def _send(self, claimed: Claimed) -> None:
        with structlog.contextvars.bound_contextvars(
            webhook_id=str(claimed.webhook_id), delivery_id=str(claimed.id), attempt=claimed.attempts
        ):
            try:
                await self._deliver(claimed)
            except Transient as error:
                log.warning("webhook_outcome_lost", reason=str(error))  # it is sent again after its lease
            except Exception:
                log.exception("webhook_delivery_broke")

    async def _deliver(self, claimed: Claimed) -> None:
        body = message_body(claimed.kind, claimed.payload, self._web_url)
        headers = self._headers(claimed, body)
        try:
            answer = await outgoing.post(claimed.url, headers=headers, body=body, allowed_hosts=self.allowed_hosts)
        except Unreachable as error:
            await self._again(claimed, str(error))
            return
        if 200 <= answer.status < 300:
            with map_database_errors():
                await deliveries.delivered(self._pool, claimed, answer.status)
            log.info("webhook_delivered", status=answer.status)
        elif answer.status == 410:
            await self._gone(claimed)
        else:
            await self._again(claimed, _refusal(answer.status), status=answer.status, after_s=_wanted(answer.headers))

    def _headers(self, claimed: Claimed, body: bytes) -> dict[str, str]:
        message_id, timestamp = str(claimed.id), int(time.time())
        return {
            hdrs.CONTENT_TYPE: "application/json",
            hdrs.USER_AGENT: AGENT,
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": self.secrets.sign(claimed.webhook_id, message_id, timestamp, body),
        }

    async def _again(self, claimed: Claimed, error: str, *, status: int | None = None, after_s: int = 0) -> None:
        """Try again later, or not at all any more after about a day."""
        log.warning("webhook_not_delivered", reason=error)
        with map_database_errors():
            if claimed.attempts > len(_WAITS_S):
                await deliveries.fail(self._pool, claimed, status=status, error=error)
                return
            wait = timedelta(seconds=max(_WAITS_S[claimed.attempts - 1], after_s))
            await deliveries.postpone(self._pool, claimed, wait, status=status, error=error)

    async def _gone(self, claimed: Claimed) -> None:
        log.warning("webhook_disabled", reason=GONE)
        with map_database_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                await deliveries.fail(connection, claimed, status=410, error=GONE)
                await webhooks.disable(connection, claimed.webhook_id)
                await deliveries.end_all(connection, claimed.webhook_id, GONE)


def message_body(kind: Kind, payload: str, web_url: str | None) -> bytes:
    """What is sent: the same bytes at every attempt, since receivers may compare them."""
    message = Message.model_validate_json(payload)
    if web_url is not None and message.data.video_id is not None:
        url = f"{web_url.rstrip('/')}/videos/{message.data.video_id}"
        message = message.model_copy(update={"data": message.data.model_copy(update={"url": url})})
    return discord_body(message) if kind == "discord" else message.model_dump_json(exclude_none=True).encode()


def _refusal(status: int) -> str:
    if 300 <= status < 400:
        return f"The receiver answered {status}: redirects are not followed."
    return f"The receiver answered {status}."


def _wanted(headers: Mapping[str, str]) -> int:
    """Seconds the receiver asks us to wait; a date there is not read."""
    text = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return min(int(text), LONGEST_WAIT_S) if text.isascii() and text.isdigit() and len(text) < 10 else 0
