"""Closed-form feature maps: fit once, apply. One a file; they stand beside OTI and OVI in every table."""
