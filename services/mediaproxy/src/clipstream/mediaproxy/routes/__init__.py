"""What the media proxy answers to, one noun a module."""
