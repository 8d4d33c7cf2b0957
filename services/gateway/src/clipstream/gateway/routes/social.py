"""Likes and shares."""

from __future__ import annotations

from clipstream.gateway.routes.api import RouteTable

table = RouteTable("social")
