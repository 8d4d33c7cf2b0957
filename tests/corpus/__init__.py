"""Generators of real media for the tests and the demo; nothing here is downloaded."""
