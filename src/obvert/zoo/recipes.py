"""Recipes of the embedded models by name."""

from obvert.zoo.clip import Recipe
from obvert.zoo.siglip import SiglipRecipe

RECIPES: dict[str, Recipe | SiglipRecipe] = {
    "clip": Recipe(),
    "clip-smallgap": Recipe(learned_temperature=True),
    "siglip": SiglipRecipe(),
}
