"""A function call as JSON: what the parent of a caged child sends, and what it makes of the answer."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar, get_type_hints

from pydantic import BaseModel, TypeAdapter, ValidationError

from clipstream.common import errors

T = TypeVar("T")

INJECTED = frozenset({"progress", "scratch", "emit"})
_FROM_CHILD = (errors.Permanent, errors.Transient)
"""What a child can know. It talks to no server and is told of no cancellation, so it has no say in those."""

_LONGEST = 4096
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""In JSON. What a child answers becomes rows, and databases hold none."""


class Call(Generic[T]):
    """One call of a module-level function, its arguments already written as JSON by the function's own annotations."""

    def __init__(self, target: Callable[..., T], arguments: Mapping[str, object]) -> None:
        self.module, self.name = target.__module__, target.__qualname__
        if "." in self.name or "<" in self.name or self.module == "__main__":
            raise TypeError(f"{self.module}:{self.name} cannot run in a child: only module-level functions can")
        hints = get_type_hints(target, include_extras=True)
        if "return" not in hints:
            raise TypeError(f"{self.module}:{self.name} needs a return annotation to run in a child")
        inspect.signature(target).bind_partial(**arguments)
        self.arguments = {
            name: TypeAdapter(hints[name]).dump_python(value, mode="json") for name, value in arguments.items()
        }
        self._returns: TypeAdapter[T] = TypeAdapter(hints["return"])

    def result(self, body: bytes, scratch: Path) -> T:
        """The returned value. `Transient` where it is not what the function promises: then the child was not itself."""
        if _NUL.search(body):
            raise errors.Transient(f"{self.name} answered with a NUL character")
        try:
            value = self._returns.validate_json(body)
        except ValidationError as error:
            raise errors.Transient(f"{self.name} answered with something it never returns: {error.title}") from error
        home = scratch.resolve()
        for path in _paths(value):
            if not (home / path).resolve().is_relative_to(home):
                raise errors.Transient(f"{self.name} answered with a file outside its scratch directory")
        return value


def module_of(target: Callable[..., object]) -> str:
    return target.__module__


def source_root(module: str) -> str:
    """The directory that a module is imported from."""
    path = Path(sys.modules[module].__file__ or "")
    depth = module.count(".") + (path.stem == "__init__")
    return str(path.resolve().parents[depth])


def error_from(described: Mapping[str, Any]) -> errors.ClipstreamError:
    """The error a child described, as it was raised there; what is not ours, or not a child's to say, is `Transient`."""
    message = _fit(str(described["message"]))
    known = getattr(errors, str(described["name"]), None) if described["module"] == errors.__name__ else None
    if not (isinstance(known, type) and issubclass(known, _FROM_CHILD)) or known is errors.Outage:
        name = _fit(str(described["name"]))
        return errors.Transient(f"{name}: {message}" if message else name)
    if issubclass(known, errors.Transient) and described["retry_after_s"] is not None:
        return known(message, retry_after=timedelta(seconds=float(described["retry_after_s"])))
    return known(message)


def _fit(words: str) -> str:
    """As text that can be sent and kept: databases hold no NUL, and no wire half of a surrogate pair."""
    return words[:_LONGEST].replace("\0", "").encode(errors="replace").decode()


def _paths(value: object) -> Iterator[Path]:
    """Every path inside a returned value."""
    if isinstance(value, Path):
        yield value
    elif isinstance(value, BaseModel):
        yield from (path for _, item in value for path in _paths(item))
    elif dataclasses.is_dataclass(value):
        yield from (path for field in dataclasses.fields(value) for path in _paths(getattr(value, field.name)))
    elif isinstance(value, Mapping):
        yield from (path for item in value.values() for path in _paths(item))
    elif isinstance(value, list | tuple | set | frozenset):
        yield from (path for item in value for path in _paths(item))
