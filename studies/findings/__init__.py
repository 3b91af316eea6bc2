"""What the numbers say: tables, comparisons, sentences."""
