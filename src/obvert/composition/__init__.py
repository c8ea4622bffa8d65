"""Composition: what a text says of which, operators that change it, and whether a model can tell."""
