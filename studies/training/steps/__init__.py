"""One training step: eager, compiled, from a CUDA graph, of a pack."""
