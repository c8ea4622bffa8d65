"""Repair of a model: what it practises on, hard negatives, losses, and the training."""
