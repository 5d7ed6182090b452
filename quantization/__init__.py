"""Recipes, ranges and integer grids on the graph."""
