"""The commands, one a file; each has `run(argv) -> exit code`. Their options come from dataclass fields."""
