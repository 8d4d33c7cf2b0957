"""The object store behind the media proxy: what travels, what signs addresses, and the client."""
