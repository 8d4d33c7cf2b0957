"""Repackages a source whose own pictures browsers can play."""
