"""Train an embedded model anew from its recipe: obvert zoo train NAME."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from obvert.commands._common import bars, parse, say
from obvert.core import ObvertError
from obvert.registry import unknown
from obvert.store import new_folder, taken
from obvert.zoo.recipes import RECIPES


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train an embedded model from its recipe. An interrupted training goes on where it stopped."""

    name: tyro.conf.Positional[str]
    """Name of the recipe: clip, clip-smallgap, clip-slip, clip-bag, clip-tau1, clip-tau001, siglip, vae, vae-tiny,
    diffusion, captioner, captioner-2, speech-recogniser, speech-recogniser-2, speech-synthesiser, vlm, vlm-2."""
    out: Path
    """Folder for the finished model; checkpoints lie beside it in OUT.training."""
    steps: int | None = None
    """Other number of steps than the recipe's."""
    seed: int | None = None
    """Other seed of the weights, the data and the order than the recipe's."""
    overwrite: bool = False
    """Replace what the folder holds."""
    json: bool = False
    """Print the card as JSON only."""


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    if not argv or argv[0] in ("-h", "--help"):
        parse(Annotated[Train, tyro.conf.arg(name="")], ["--help"], "zoo train")  # type: ignore[arg-type]
    if argv[0] != "train":
        raise ObvertError(unknown("action", argv[0], ["train"]))
    options = parse(Train, argv[1:], "zoo train")
    if options.name.removeprefix("zoo/") not in RECIPES:
        raise ObvertError(unknown("recipe", options.name, list(RECIPES)))
    known: dict[str, Any] = dict(RECIPES)
    asked = {"steps": options.steps, "seed": options.seed}
    recipe = replace(
        known[options.name.removeprefix("zoo/")], **{key: value for key, value in asked.items() if value is not None}
    )
    taken(options.out, overwrite=options.overwrite)
    with bars(options.json) as bar:
        model, minutes = recipe.train(options.out.with_name(options.out.name + ".training"), bar("training"))
    with new_folder(options.out, overwrite=options.overwrite) as folder:
        card = recipe.export(model, folder, minutes)
    print(json.dumps(card, indent=1))
    say(f"saved in {options.out}; every command takes it as --model {options.out}", options.json)
    return 0
