"""Trains the demo speech model from nothing: its own grammar, synthesized voices and synthesized game noise."""
