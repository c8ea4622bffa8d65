"""Objectives: what a search makes small. One a file."""
