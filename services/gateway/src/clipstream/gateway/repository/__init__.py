"""All SQL of the gateway, one noun per module. Functions take the connection, so that a caller decides what is one
transaction."""
