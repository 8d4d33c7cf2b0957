"""What the supervisor needs to know of a service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """One process to keep running. `health` answers 200 once it is ready. Those of a lower `tier` start earlier and
    stop later: others need them."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    health: str
    tier: int = 1
