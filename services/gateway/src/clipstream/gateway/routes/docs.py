"""A page to read the API's document."""

from __future__ import annotations

from clipstream.gateway.routes.api import RouteTable

table = RouteTable("system")
