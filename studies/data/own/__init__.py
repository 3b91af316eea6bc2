"""A person's own images: a folder, a table of paths and labels, or arrays; decoded once into the cache."""
