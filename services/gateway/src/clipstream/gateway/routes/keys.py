"""Personal API keys, for recorders and scripts."""

from __future__ import annotations

from clipstream.gateway.routes.api import RouteTable

table = RouteTable("auth")
