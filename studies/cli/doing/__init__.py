"""What the commands do. Each module is imported by its command alone, when it is called: some load torch."""
