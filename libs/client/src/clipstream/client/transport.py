"""Requests and their answers: who asks, what is repeated and when, and what a refusal is. Knows no route but the renewal of
a login."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

import aiohttp
from aiohttp import hdrs
from pydantic import BaseModel, ValidationError
from yarl import URL

from clipstream.client.credentials import Credentials, Nobody
from clipstream.client.errors import ApiError, Misunderstood, SignedOut, Unreachable, refusal
from clipstream.client.models import Presented, Tokens
from clipstream.client.patience import Patience

T = TypeVar("T", bound=BaseModel)
U = TypeVar("U", bound=BaseModel)
Value = str | int | float | bool | None
IDEMPOTENCY_KEY = "Idempotency-Key"
USER_AGENT = "clipstream-client/0.1.0"
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
_BUSY = frozenset((429, 502, 503, 504))
_NO_ANSWER = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that was no refusal."""

    status: int
    raw: bytes

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.raw)
        except ValueError as error:
            raise Misunderstood("The server's answer is no JSON. Is this the address of Clipstream's API?") from error

    def read(self, model: type[T]) -> T:
        try:
            return model.model_validate(self.json)
        except ValidationError as error:
            place = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise Misunderstood(
                f"The server's answer is not understood ({place or 'all of it'}). Is this client older than the server?"
            ) from error


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `repeatable`: twice does no more than once. `also` are statuses from 400 on that are no refusal."""

    method: str
    path: str
    query: Mapping[str, Value]
    body: bytes | None
    headers: Mapping[str, str]
    repeatable: bool
    signed: bool
    also: Collection[int]


class Transport:
    """One server, as one caller. `base` may have a path."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base: str | URL,
        credentials: Credentials | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.session = session
        self.base = URL(base)
        self.credentials: Credentials = credentials or Nobody()
        self.patience = patience or Patience()

    async def ask(self, answer: type[T], method: str, path: str, **more: Any) -> T:
        """The answer of a route that has one."""
        return (await self.send(method, path, **more)).read(answer)

    async def ask_either(self, answer: type[T], pending: type[U], method: str, path: str, **more: Any) -> T | U:
        """The same of a route that answers 202 with another model while there is nothing yet."""
        reply = await self.send(method, path, **more)
        return reply.read(pending) if reply.status == 202 else reply.read(answer)

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Value] | None = None,
        body: BaseModel | None = None,
        nulls: bool = False,
        creates: bool = False,
        key: str | None = None,
        repeatable: bool | None = None,
        signed: bool = True,
        also: Collection[int] = (),
    ) -> Reply:
        """Raises `ApiError` for refusals and `Unreachable` where there is no answer. A request that `creates` something
        carries an Idempotency-Key (`key`, or a new one), so that it can be repeated like all others that change nothing
        the second time. Of `body`, fields that are None are left out; with `nulls`, only those that were never set."""
        headers: dict[str, str] = {hdrs.CONTENT_TYPE: "application/json"} if body is not None else {}
        if creates:
            headers[IDEMPOTENCY_KEY] = key or str(uuid4())
        if repeatable is None:
            repeatable = creates or method != hdrs.METH_POST
        raw = None if body is None else body.model_dump_json(exclude_unset=nulls, exclude_none=not nulls).encode()
        return await self._carry_out(
            Request(method, path, query or {}, raw, headers, repeatable=repeatable, signed=signed, also=also)
        )

    async def _carry_out(self, request: Request) -> Reply:
        tried = 0
        while True:
            tried += 1
            wait_s: float | None = None
            try:
                async with self.opened(request) as response:
                    return Reply(response.status, await response.read())
            except ApiError as error:
                if not _passes(error, request) or not self.patience.allows(tried, error.retry_after):
                    raise
                wait_s = error.retry_after
            except _NO_ANSWER as error:
                never_sent = isinstance(error, aiohttp.ClientConnectorError)
                if not (request.repeatable or never_sent) or not self.patience.allows(tried):
                    raise Unreachable(f"{self.base} does not answer ({_words(error)}).") from error
            await self.patience.pause(tried, wait_s)

    @asynccontextmanager
    async def opened(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to one try, its body unread; another one with a renewed login where the first was refused for its
        token. The errors of a connection are aiohttp's own."""
        bearer = self.credentials.bearer if request.signed else None
        try:
            async with self._answer(request, bearer) as response:
                yield response
            return
        except SignedOut:
            if bearer is None or not await self.credentials.renewed(bearer, self._renew):
                raise
        async with self._answer(request, self.credentials.bearer) as response:
            yield response

    @asynccontextmanager
    async def _answer(self, request: Request, bearer: str | None) -> AsyncIterator[aiohttp.ClientResponse]:
        headers: dict[str, str] = {hdrs.USER_AGENT: USER_AGENT, hdrs.ACCEPT: "application/json", **request.headers}
        if bearer is not None:
            headers[hdrs.AUTHORIZATION] = f"Bearer {bearer}"
        async with self.session.request(
            request.method, self.url(request.path, request.query), data=request.body, headers=headers, timeout=TIMEOUT
        ) as response:
            if response.status >= 400 and response.status not in request.also:
                raise await refused(response)
            yield response

    def url(self, path: str, query: Mapping[str, Value] | None = None) -> URL:
        """An address on this server. `path` is percent-encoded already."""
        given = {name: _text(value) for name, value in (query or {}).items() if value is not None}
        return URL(f"{str(self.base).rstrip('/')}{path}", encoded=True).update_query(given)

    async def _renew(self, refresh_token: str) -> Tokens:
        """An answer that got lost may be asked for again: the server bears with that for some seconds."""
        body = Presented(refresh_token=refresh_token)
        return await self.ask(Tokens, "POST", "/auth/refresh", body=body, signed=False, repeatable=True)


def _passes(error: ApiError, request: Request) -> bool:
    """Whether the same request may be answered otherwise soon."""
    if error.status == 429:
        return True
    if error.status == 409 and IDEMPOTENCY_KEY in request.headers:
        return error.retry_after is not None  # the first try of it still runs
    return error.status in _BUSY and request.repeatable


async def refused(response: aiohttp.ClientResponse) -> ApiError:
    """What a refusal says."""
    raw = await response.read()
    try:
        body = json.loads(raw)
    except ValueError:
        body = {}
    return refusal(
        response.status, response.reason or "", body if isinstance(body, dict) else {}, _retry_after(response)
    )


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    """Only the form in seconds: the API sends no other."""
    try:
        return max(float(response.headers.get(hdrs.RETRY_AFTER, "")), 0.0)
    except ValueError:
        return None


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _words(error: BaseException) -> str:
    return str(error) or ("it took too long" if isinstance(error, TimeoutError) else type(error).__name__)
