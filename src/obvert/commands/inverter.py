"""Distil OTI or OVI into an inverter that costs one matrix product: obvert inverter train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro
from torch import Tensor

from obvert.commands._common import ModelOptions, bars, parse, say, show
from obvert.core import DualEncoder, Modality, ObvertError
from obvert.methods.oti import OTI
from obvert.methods.ovi import OVI
from obvert.registry import unknown
from obvert.store import Run, save, taken


@dataclass(frozen=True, kw_only=True)
class Train(ModelOptions):
    """Train an inverter on unlabelled pictures, texts or features; on drawn scenes when none are given."""

    out: Path
    """Folder to write: tensors.safetensors, about.json; give it to obvert retrieve --inverter."""
    pictures: Path | None = None
    """Folder of pictures, at any depth."""
    texts: Path | None = None
    """Text file, one text a line: an inverter of OVI."""
    features: Path | None = None
    """Safetensors file with `image` or `text` features (N, d) of this model."""
    scenes: int = 4096
    """Scenes drawn when no set is given."""
    tokens: int = 1
    """Pseudo-tokens of OTI."""
    steps: int | None = None
    """Steps of the method that is distilled: 17 of OTI, 100 of OVI by default. Where the step curve peaks is best."""
    hidden: int = 1024
    """Width of the network."""
    seed: int = 0
    """Of the method's start and the network."""
    overwrite: bool = False
    """Replace what the folder holds."""
    json: bool = False
    """Print the result as JSON."""


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    if not argv or argv[0] in ("-h", "--help"):
        parse(Annotated[Train, tyro.conf.arg(name="")], ["--help"], "inverter train")  # type: ignore[arg-type]
    if argv[0] != "train":
        raise ObvertError(unknown("action", argv[0], ["train"]))
    options = parse(Train, argv[1:], "inverter train")
    given = [name for name in ("pictures", "texts", "features") if getattr(options, name)]
    if len(given) > 1:
        raise ObvertError(f"need one of --pictures, --texts and --features, got {' and '.join(given)}")
    from obvert.features.inverter import Inverter
    from obvert.tasks.distil import distil

    taken(options.out, overwrite=options.overwrite)
    model = options.load()
    settings = {k: v for k, v in asdict(options).items() if k not in ("overwrite", "json", "device", "hidden")}
    settings |= {"changed": [getattr(options, name).stat().st_mtime_ns for name in given if getattr(options, name).exists()]}
    work = Run(options.out.with_name(options.out.name + ".pairs"), settings | {"sha256": model.card.sha256}, overwrite=True)
    with work, bars(options.json) as bar:
        modality, features = _features(options, model)
        method = OTI(tokens=options.tokens, steps=17) if modality == "image" else OVI(steps=100)
        if options.steps is not None:
            method = replace(method, steps=options.steps)
        inverter = Inverter(hidden=options.hidden, seed=options.seed)
        fitted, row = distil(
            model, features, method, modality=modality, inverter=inverter, run=work, seed=options.seed, progress=bar
        )
    save(fitted, options.out, overwrite=options.overwrite)
    work.remove()
    show([row], as_json=options.json)
    say(f"saved in {options.out}; try obvert retrieve --inverter {options.out}", options.json)
    return 0


def _features(options: Train, model: DualEncoder) -> tuple[Modality, Tensor]:
    """The features to learn from, and their modality."""
    from obvert.core import PictureSet
    from obvert.datasets._files import every_picture, text
    from obvert.io import read_features
    from obvert.tasks._encode import encode
    from obvert.zoo.exam import HELD_OUT, pictures
    from obvert.zoo.scenes import sample

    if options.features:
        held = read_features(options.features)
        return ("image", held["image"]) if "image" in held else ("text", held["text"])
    if options.texts:
        lines = [line.strip() for line in text(options.texts).splitlines() if line.strip()]
        return "text", model.text_features(lines).cpu()
    if options.pictures:
        paths = every_picture(options.pictures)
        found = encode(model, PictureSet(paths=paths, labels=[0] * len(paths), classes=["any"]))
        return "image", found.features
    return "image", model.image_features(pictures(sample(options.scenes, HELD_OUT + 300, things=1))).cpu()
