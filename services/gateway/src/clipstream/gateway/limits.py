"""How often somebody may ask: one bucket per caller and class of routes, kept in this process.

Buckets follow the generic cell rate algorithm (ITU-T I.371): a caller has a burst, which fills again at an even pace. With
several gateway processes each one counts for itself, so the bounds are per process; what must hold exactly (quotas, uses of
an invite) is counted in the database instead.
"""

from __future__ import annotations

import math
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv6Address, ip_address, ip_network

from aiohttp import hdrs, web

MOST_BUCKETS = 50_000
_BUDGET = re.compile(r"^(?P<name>[a-z-]+)=(?P<count>\d{1,9})/(?P<seconds>\d{1,6})$")


class Limit(Enum):
    """A class of routes that share one budget per caller."""

    ORDINARY = "ordinary"
    SEARCH = "search"
    UPLOAD = "upload"
    SIGN_IN = "sign-in"  # tokens are made or renewed: per address
    GUESS = "guess"  # codes and passwords can be tried here: per address, and per user where there is one


@dataclass(frozen=True, slots=True)
class Budget:
    """`count` requests at once, and the same again every `seconds`."""

    count: int
    seconds: float


DEFAULTS: Mapping[Limit, Budget] = {
    Limit.ORDINARY: Budget(1000, 10),
    Limit.SEARCH: Budget(100, 10),
    Limit.UPLOAD: Budget(600, 10),
    Limit.SIGN_IN: Budget(30, 60),
    Limit.GUESS: Budget(20, 60),
}


def parse(text: str) -> dict[Limit, Budget]:
    """`ordinary=1000/10 guess=20/60`: requests per seconds; what is not named keeps its default. `off` is no limit at
    all. Raises `ValueError`."""
    if text.strip().lower() == "off":
        return {}
    budgets = dict(DEFAULTS)
    for word in text.replace(",", " ").split():
        match = _BUDGET.match(word)
        if match is None or match["name"] not in {limit.value for limit in Limit}:
            raise ValueError(f"{word!r} is not like ordinary=1000/10, or names no limit ({', '.join(_names())})")
        if not int(match["count"]) or not int(match["seconds"]):
            raise ValueError(f"{word!r} would let nobody in")
        budgets[Limit(match["name"])] = Budget(int(match["count"]), float(match["seconds"]))
    return budgets


def _names() -> list[str]:
    return [limit.value for limit in Limit]


class RateLimits:
    """The buckets of this process; those that were not used for longest go first when there are too many."""

    def __init__(self, budgets: Mapping[Limit, Budget], trusted_proxies: int = 0) -> None:
        self._budgets = budgets
        self._trusted_proxies = trusted_proxies
        self._full_at: OrderedDict[tuple[Limit, str], float] = OrderedDict()

    def spend(self, limit: Limit, who: str, now: float | None = None) -> int | None:
        """Take one request out of the bucket: None where it was there, else the seconds to wait."""
        budget = self._budgets.get(limit)
        if budget is None:
            return None
        now = time.monotonic() if now is None else now
        step = budget.seconds / budget.count
        full_at = max(self._full_at.pop((limit, who), now), now)
        allowed = full_at + step - now <= budget.seconds
        self._full_at[limit, who] = full_at + step if allowed else full_at
        if len(self._full_at) > MOST_BUCKETS:
            self._full_at.popitem(last=False)
        return None if allowed else max(math.ceil(full_at + step - now - budget.seconds), 1)

    def address(self, request: web.Request) -> str:
        """Where a request comes from: the address that the outermost proxy of ours saw, or the connection's own."""
        seen = request.remote or "local"
        if self._trusted_proxies:
            told = [part.strip() for part in ",".join(request.headers.getall(hdrs.X_FORWARDED_FOR, ())).split(",")]
            told = [part for part in told if part]
            seen = told[-self._trusted_proxies] if len(told) >= self._trusted_proxies else seen
        return _network(seen)


def _network(address: str) -> str:
    """One host of IPv6 has a whole /64 of addresses."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:64]
    if not isinstance(found, IPv6Address):
        return address
    return str(found.ipv4_mapped or ip_network((found, 64), strict=False))
