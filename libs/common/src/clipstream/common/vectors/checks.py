"""What an engine must never be asked, checked before it is: some store half of a bad batch, some take NaN for a number."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from clipstream.common.errors import Permanent
from clipstream.common.vectors.index import Filter, Point

MAX_DIMENSION = 65_536
MAX_LIMIT = 10_000
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_LARGEST_FLOAT = 3.4028234e38  # of 32 bits: what a vector is stored in
_INT_BITS = 63


def check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Permanent(f"{name!r} is no collection name: lowercase letters, digits, hyphens and underscores.")


def check_collection(name: str, dimension: int, keyword_fields: Sequence[str]) -> None:
    check_name(name)
    if not 1 <= dimension <= MAX_DIMENSION:
        raise Permanent(f"A collection has 1 to {MAX_DIMENSION} dimensions, not {dimension}.")
    for field in keyword_fields:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", field):
            raise Permanent(f"{field!r} is no name of a payload field.")


def check_vector(vector: Sequence[float], dimension: int) -> None:
    if len(vector) != dimension:
        raise Permanent(f"The vector has {len(vector)} dimensions; its collection has {dimension}.")
    if not all(-_LARGEST_FLOAT <= value <= _LARGEST_FLOAT for value in vector):  # false for NaN, too
        raise Permanent("The vector holds a value that is not a finite number.")


def check_points(points: Sequence[Point], dimension: int) -> None:
    for point in points:
        check_vector(point.vector, dimension)
        check_payload(point.payload)


def check_payload(payload: Mapping[str, object]) -> None:
    for name, value in payload.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise Permanent(f"The payload's {name} is not a finite number.")
        if isinstance(value, int) and value.bit_length() > _INT_BITS:
            raise Permanent(f"The payload's {name} does not fit 64 bits.")
        if not isinstance(value, str | int | float):
            raise Permanent(f"The payload's {name} is no string, number or boolean.")


def check_limit(limit: int) -> None:
    if not 1 <= limit <= MAX_LIMIT:
        raise Permanent(f"1 to {MAX_LIMIT} points can be asked for at once, not {limit}.")


def check_deletion(where: Filter) -> None:
    if not where.match and not where.exclude:
        raise Permanent("A deletion without a condition would remove everything; it is refused.")


def matches_nothing(where: Filter | None) -> bool:
    """Whether a condition names no value at all. What an engine makes of an empty list is not left to decide who sees what."""
    return where is not None and any(not values for values in (where.match or {}).values())


def conditions(where: Filter | None) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """What must match and what must not, without empty exclusions, which exclude nothing."""
    if where is None:
        return {}, {}
    match = {name: list(values) for name, values in (where.match or {}).items()}
    exclude = {name: list(values) for name, values in (where.exclude or {}).items() if values}
    return match, exclude


def by_time(point: Point) -> tuple[float, str]:
    """The order of `vectors_of`."""
    t = point.payload.get("t", 0.0)
    return (float(t) if isinstance(t, int | float) else 0.0, str(point.id))
