"""Invites: codes that let others join a stream."""

from __future__ import annotations

from clipstream.gateway.routes.api import RouteTable

table = RouteTable("streams")
