"""The theory in numbers: causal models, worlds whose loss is known, limits and links."""
