"""How often somebody may ask."""

from __future__ import annotations

from enum import Enum


class Limit(Enum):
    """A class of routes that share one budget per caller."""

    ORDINARY = "ordinary"
    SEARCH = "search"
    UPLOAD = "upload"
    SIGN_IN = "sign in"  # tokens are made or renewed: per address
    GUESS = "guess"  # codes and passwords can be tried here: per address, and per user where there is one
