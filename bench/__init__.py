"""Measure: meters shared with the studies, the limits of this machine, and pytest-benchmark suites."""
