"""Where a stream's news is sent to."""

from __future__ import annotations

from clipstream.gateway.routes.api import RouteTable

table = RouteTable("webhooks")
