"""Makes H.264 renditions of one chunk."""
