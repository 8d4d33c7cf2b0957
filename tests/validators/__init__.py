"""Judges of published output, written from the specifications alone: nothing of the project is imported here.

`validators.output.check_output` runs them all. What they read comes through one callable, so a directory, a store and a
web server are judged alike.
"""
