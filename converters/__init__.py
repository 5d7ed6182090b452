"""From a PyTorch module to the graph, and from the graph to model files."""
