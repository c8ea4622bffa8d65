"""List the embedded models with their cards, and what else can be loaded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from obvert.commands._common import parse
from obvert.hub import KINDS, ZOO, kind_of, zoo


@dataclass(frozen=True, kw_only=True)
class Options:
    """List the embedded models."""

    json: bool = False
    """Print the cards as JSON."""


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "models")
    cards = {name: json.loads((ZOO / name.removeprefix("zoo/") / "card.json").read_text()) for name in zoo()}
    if options.json:
        print(json.dumps(cards, indent=1))
        return 0
    for name, card in cards.items():
        kind = kind_of(ZOO / name.removeprefix("zoo/"))
        print(f"{name}, {kind}: {card['data']}; {card['licence']}; trained for {card['minutes']:.0f} minutes")
        print("  " + ", ".join(f"{key.replace('_', ' ')} {value:.3f}" for key, value in card["scores"].items()))
    languages = ", ".join(name for name, kind in KINDS.items() if kind == "vision-language model")
    print("Also: a local folder (clip, siglip, siglip2, slip; captioners blip, blip-2; vision-language models")
    print(f"{languages};")
    print("speech recognisers whisper; speech synthesisers vits, speecht5, fastspeech2_conformer), a hub id")
    print("owner/name[@revision], open_clip:NAME/TAG or open_clip:FOLDER, chatterbox:FOLDER; autoencoders, Stable Diffusion")
    print("and Flux pipelines as diffusers writes them.")
    return 0
