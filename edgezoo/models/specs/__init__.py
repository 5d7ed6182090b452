"""One file per family: names, exact counts, published numbers, weights; nothing here imports torch."""
