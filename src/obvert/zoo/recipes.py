"""Recipes of the zoo's models by name."""

from obvert.zoo.clip import ClipRecipe
from obvert.zoo.recipe import Recipe
from obvert.zoo.siglip import SiglipRecipe
from obvert.zoo.slip import SlipRecipe

RECIPES: dict[str, Recipe] = {
    "clip": ClipRecipe(),
    "clip-smallgap": ClipRecipe(learned_temperature=True),
    "clip-slip": SlipRecipe(),
    "siglip": SiglipRecipe(),
}
