"""Vectors behind one interface: a Qdrant server, or its engine in a process of our own."""
