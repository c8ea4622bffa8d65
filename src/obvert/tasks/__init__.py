"""Tasks: data, methods and metrics together, ending in a report."""
