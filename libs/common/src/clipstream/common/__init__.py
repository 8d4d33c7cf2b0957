"""What every Clipstream service shares. Knows no service."""
