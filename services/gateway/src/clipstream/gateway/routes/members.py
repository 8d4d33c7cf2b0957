"""Who belongs to a stream, and as what."""

from __future__ import annotations

from clipstream.gateway.routes.api import RouteTable

table = RouteTable("streams")
