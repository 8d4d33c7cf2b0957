"""The pure part of the stage."""
