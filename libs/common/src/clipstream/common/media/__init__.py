"""Opening and probing untrusted media. Runs in caged child processes."""
