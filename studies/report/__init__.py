"""What a person reads: README.md, report.html, figures, pictures, tables for elsewhere."""
