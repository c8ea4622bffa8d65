"""Random looks at a medium, one a file."""
