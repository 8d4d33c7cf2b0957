"""Uploads in chunks, which can be resumed."""

from __future__ import annotations

from clipstream.gateway.routes.api import RouteTable

table = RouteTable("uploads")
