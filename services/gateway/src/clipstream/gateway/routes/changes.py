"""Bodies that change some fields of a thing and leave the others."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar, Union

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from clipstream.gateway.routes.api import Body

T = TypeVar("T")
Kept = Union[T, SkipJsonSchema[None]]  # noqa: UP007 - a generic alias: a field that stays as it is where it is not named


def kept() -> Any:
    """The default of a field that stays where it is not named. None is how we say so, no value that a client may send."""
    return Field(default=None, json_schema_extra=_say_no_default)


def _say_no_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


class Changes(Body):
    """Base of partial updates. Null is refused, except for the fields in `removable`, which it empties."""

    removable: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _no_null(cls, given: Any) -> Any:
        if isinstance(given, dict):
            for name, value in given.items():
                if value is None and name in cls.model_fields and name not in cls.removable:
                    raise ValueError(f"{name} must not be null: leave it out to keep it")
        return given

    @property
    def named(self) -> dict[str, Any]:
        """The fields that the request names, with their new values."""
        return {name: getattr(self, name) for name in self.model_fields_set}
