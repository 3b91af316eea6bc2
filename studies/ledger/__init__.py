"""The truth about a study: storage and entries."""
