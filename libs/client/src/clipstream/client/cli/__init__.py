"""The `clipstream` command line, over the client."""
