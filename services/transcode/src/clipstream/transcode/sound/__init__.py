"""Sound tracks, their mix, and their part of a plan."""
