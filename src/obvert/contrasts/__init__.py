"""Benchmarks of contrasts, each in its own layout; one a file."""
