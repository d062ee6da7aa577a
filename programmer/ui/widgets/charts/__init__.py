"""Charts with an honest axis and a table twin of the same data."""
