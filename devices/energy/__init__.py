"""Energy of an inference from a phone's own fuel gauge: what was read, and what follows from it."""
