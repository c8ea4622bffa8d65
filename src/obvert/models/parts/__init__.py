"""What model families share: preprocessing, transformer blocks, the two-tower encoder."""
