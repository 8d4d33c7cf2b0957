"""Objects by key: S3 or disk behind one interface."""
