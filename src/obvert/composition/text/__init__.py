"""Texts: their words, their atoms and what keeps them grammatical."""
