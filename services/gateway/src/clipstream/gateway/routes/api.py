"""The route table: one decorator says all there is to say about a route, and the handler's annotations say the rest.

A handler takes the `Call` and, where it needs them, parameters named `path`, `query` and `body`, each annotated with a
pydantic model (`body: Model | None` where a request may come without one); its return annotation is the model of the
answer. Serving (dispatch.py) and the OpenAPI document (openapi.py) are both made from this table, so they cannot differ.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from aiohttp import web
from asyncpg import Record
from pydantic import BaseModel, ConfigDict

from clipstream.gateway.access import Access, Grant, Scope
from clipstream.gateway.limits import Limit
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository.users import User
from clipstream.gateway.services import Services

Handler = Callable[..., Awaitable[BaseModel | web.StreamResponse | None]]
H = TypeVar("H", bound=Handler)

JSON_LIMIT = 64 << 10


class Path(BaseModel):
    """Base of path models. `missing` is the text of the 404 where a part of the path is no such id."""

    model_config = ConfigDict(frozen=True)
    missing: ClassVar[str] = "Not found"


class StreamPath(Path):
    missing: ClassVar[str] = "Stream not found"
    stream_id: UUID


class MemberPath(StreamPath):
    missing: ClassVar[str] = "Member not found"
    user_id: UUID


class VideoPath(Path):
    missing: ClassVar[str] = "Video not found"
    video_id: UUID


class Query(BaseModel):
    """Base of query models. Parameters nobody knows are ignored, as everywhere on the web."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Body(BaseModel):
    """Base of request bodies. A field nobody knows is refused, and a value of another type: it is a mistake, or somebody
    trying. Strict JSON still takes text for times and ids."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Reply(web.Response):
    """An answer with another status than the route's own."""

    def __init__(self, model: BaseModel, *, status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(
            status=status, body=model.model_dump_json().encode(), content_type="application/json", headers=headers
        )


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a caller showed: an access token of a login, or an API key."""

    user_id: UUID
    login_id: UUID | None
    key_id: UUID | None
    expires_at: datetime | None


@dataclass(slots=True)
class Call:
    """One request on its way to its handler: who calls, and what they are to the thing the path names."""

    request: web.Request
    services: Services
    user: User | None = None
    grant: Grant | None = None
    credentials: Credentials | None = None
    video: Record | None = None  # as `videos.by_id` tells it, where the path names one and the caller was judged by it

    @property
    def caller(self) -> User:
        if self.user is None:
            raise Problem(401, "Authentication required")
        return self.user

    @property
    def key_id(self) -> UUID | None:
        """Of the API key that the call was made with; None for a login."""
        return None if self.credentials is None else self.credentials.key_id

    @property
    def login_id(self) -> UUID | None:
        """Of the login that the call's access token belongs to; None for an API key."""
        return None if self.credentials is None else self.credentials.login_id

    @property
    def found(self) -> Record:
        """The video that the path names, as it was when the call was let in."""
        if self.video is None:
            raise Problem(404, "Video not found")
        return self.video

    @property
    def standing(self) -> Grant:
        if self.grant is None:
            raise Problem(403, "Access denied")
        return self.grant


@dataclass(frozen=True)
class Route:
    """Everything about one route."""

    method: str
    path: str
    handler: Handler
    access: Access
    tag: str
    status: int
    answer: type[BaseModel] | None
    also: Mapping[int, type[BaseModel]]
    content: Sequence[str]  # media types of an answer that is no JSON
    errors: Mapping[int, str]
    invalid: str
    path_model: type[Path] | None
    query_model: type[BaseModel] | None
    body_model: type[BaseModel] | None
    body_optional: bool
    form_model: type[BaseModel] | None
    scope: Scope | None
    limit: Limit
    idempotent: bool
    location: str | None

    @property
    def summary(self) -> str:
        return (self.handler.__doc__ or self.handler.__name__).strip().split("\n")[0]


@dataclass
class RouteTable:
    """The routes of one module; `tag` groups them in the document."""

    tag: str
    routes: list[Route] = field(default_factory=list)

    def route(
        self,
        method: str,
        path: str,
        *,
        access: Access,
        status: int = 200,
        also: Mapping[int, type[BaseModel]] | None = None,
        content: Sequence[str] = (),
        errors: Mapping[int, str] | None = None,
        invalid: str = "Invalid request",
        form: type[BaseModel] | None = None,
        scope: Scope | Literal["login"] | None = None,
        limit: Limit = Limit.ORDINARY,
        idempotent: bool = False,
        location: str | None = None,
    ) -> Callable[[H], H]:
        """Add a route. `invalid` is the text of its 400; `errors` are those refusals that its rule does not imply;
        `form` is the model of a multipart/form-data body that the handler reads itself; `scope` is what an API key
        needs (`login`: no key will do; unsaid: `read` to look, `write` to change); `limit` bounds how often it may be
        called; an `idempotent` route answers a request that is repeated with the same Idempotency-Key as it did before;
        `location` is where the new thing is found, with fields of the answer and of the path in braces.
        """

        def add(handler: H) -> H:
            hints = get_type_hints(handler)
            self.routes.append(
                Route(
                    method=method,
                    path=path,
                    handler=handler,
                    access=access,
                    tag=self.tag,
                    status=status,
                    answer=_model(hints.get("return")),
                    also=dict(also or {}),
                    content=tuple(content),
                    errors=dict(errors or {}),
                    invalid=invalid,
                    path_model=hints.get("path"),
                    query_model=hints.get("query"),
                    body_model=_model(hints.get("body")),
                    body_optional=form is None and NoneType in _parts(hints.get("body")),
                    form_model=form,
                    scope=_scope(method, scope),
                    limit=limit,
                    idempotent=idempotent,
                    location=location,
                )
            )
            return handler

        return add


def _scope(method: str, scope: Scope | Literal["login"] | None) -> Scope | None:
    if scope == "login":
        return None
    return scope or ("read" if method == "GET" else "write")


def _parts(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _model(hint: Any) -> type[BaseModel] | None:
    """The pydantic model in `Model` or `Model | None`."""
    return next((part for part in _parts(hint) if isinstance(part, type) and issubclass(part, BaseModel)), None)
