"""Recipes of the zoo's models by name."""

from obvert.zoo.clip import ClipRecipe
from obvert.zoo.recipe import Recipe
from obvert.zoo.siglip import SiglipRecipe
from obvert.zoo.slip import SlipRecipe
from obvert.zoo.temperature import TemperatureRecipe

RECIPES: dict[str, Recipe] = {
    "clip": ClipRecipe(),
    "clip-smallgap": ClipRecipe(learned_temperature=True),
    "clip-slip": SlipRecipe(),
    "clip-tau1": TemperatureRecipe(temperature=1.0),
    "clip-tau001": TemperatureRecipe(temperature=0.01),
    "siglip": SiglipRecipe(),
}
