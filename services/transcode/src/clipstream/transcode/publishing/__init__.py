"""What a clip's objects in the store are, and in which order they appear."""
