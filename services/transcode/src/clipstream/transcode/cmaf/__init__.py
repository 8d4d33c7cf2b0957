"""Fragmented MP4: read, written, and cut into segments."""
