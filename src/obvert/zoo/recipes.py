"""Recipes of the embedded models by name."""

from obvert.zoo.clip import Recipe

RECIPES = {"clip": Recipe(), "clip-smallgap": Recipe(learned_temperature=True)}
