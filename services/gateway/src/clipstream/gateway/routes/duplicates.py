"""Duplicates as the operator judges them."""

from __future__ import annotations

from clipstream.gateway.routes.api import RouteTable

table = RouteTable("operator")
