"""One trial -> one record; weights, provenance."""
