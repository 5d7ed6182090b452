"""Reference networks, their registry and their weights."""
