"""The store in a directory of this machine."""
