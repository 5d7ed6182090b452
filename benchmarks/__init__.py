"""Side-by-side comparisons and their inputs; run from the repository root, not part of the package."""
