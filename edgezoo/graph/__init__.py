"""The heart: a small graph, its closed table of ops, its interpreter and its passes."""
