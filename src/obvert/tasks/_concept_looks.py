"""Closer looks at an inverted concept: which layers carry it, which words pull where, what the question makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from obvert.core import ObvertError, Progress, Reader
from obvert.media import Medium
from obvert.methods._expectations import patch_of
from obvert.methods.mimic import MIMIC
from obvert.report import Block, Gallery, GalleryRow, Table
from obvert.tasks import concept
from obvert.tasks._inverted import as_file, columns
from obvert.tasks._judges import Judges, asked_too

KEPT = ("target", "reads", "as_file", "match", "transfer", "transfer_words", "named", "top1", "top5", "clip_score", "distance")
"""Judges that a closer look tells."""


def by_layer(
    model: Reader,
    method: MIMIC,
    concepts: Sequence[str],
    real: Sequence[Tensor] | None,
    judges: Judges,
    names: Sequence[str] = (),
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Block]:
    """Invert each layer of the image tower alone, without the answer: what is found is what that layer holds of the concepts.

    Args:
        model: the reader.
        method: whose views, priors and solver are kept.
        concepts: B texts.
        real: of each concept, real pictures.
        judges: who judge what is found.
        names: for the dual encoder.
        seed: of every search.
        progress: of each search.

    Returns:
        A gallery and a table, a row for each layer and concept.

    Raises:
        ObvertError: without real pictures, or a model that has no layers to look at.
    """
    if real is None or not model.layers:
        there = "no real pictures" if real is None else f"{model.card.name}, which has none to look at"
        raise ObvertError(f"need real pictures and a model with layers, got {there}")
    shown: list[GalleryRow] = []
    told: list[dict[str, Any]] = []
    for i, layer in enumerate(model.layers):
        alone = replace(method, layers=(layer,), reading=0.0, features=1.0, snapshots=())
        found = alone(model, concepts, real=real, seed=seed, progress=progress).cpu()
        rows = concept.rows(model, found, concepts, judges, names)
        told += [{"layer": i, "name": layer} | {key: row[key] for key in KEPT} for row in rows]
        looks: list[tuple[Any, str, bool | None]] = [
            (_picture(found.features[k]), row["as_file"], bool(row["match"])) for k, row in enumerate(rows)
        ]
        shown.append(GalleryRow(query=f"{i}", label=layer, results={"found": looks}))
    note = "Each row is the inversion of one layer, without the answer. Under a picture, what the model reads there."
    return [
        Gallery(title="Layer by layer", queries=shown, note=note),
        Table(title="What each layer carries", rows=told, columns=columns(told)),
    ]


def by_token(model: Reader, pictures: Tensor, concepts: Sequence[str]) -> list[Block]:
    """Which words of the answer pull at which region of a picture: the gradient of each word's log-likelihood, patch by patch.

    Args:
        model: the reader.
        pictures: (B, 3, H, W) in [0, 1].
        concepts: B texts.

    Returns:
        A gallery, a row for each picture and a map for each of its tokens, bright where it pulls.
    """
    rows = []
    for picture, text in zip(pictures, concepts, strict=True):
        looks: list[tuple[Any, str, bool | None]] = []
        for token, pull in pulls(model, picture, text):
            lit = picture.cpu() * (0.15 + 0.85 * pull / pull.max().clamp(min=1e-12))
            looks.append((_picture(lit), token, None))
        rows.append(GalleryRow(query=_picture(picture), label=f"“{text}”", results={"pull of each word": looks}))
    return [
        Gallery(title="Which words pull where", queries=rows, note="Bright: where a small change would change the word most.")
    ]


def pulls(model: Reader, picture: Tensor, text: str) -> list[tuple[str, Tensor]]:
    """Of each token of an answer, how much its log-likelihood changes with each patch of the picture.

    Args:
        model: the reader.
        picture: (3, H, W) in [0, 1].
        text: the answer.

    Returns:
        (token, (H, W) norm of the gradient, mean over each patch), but for the end token.
    """
    answer, patch = model.answer([text]), patch_of(model)
    x = picture.to(model.device)[None].requires_grad_()
    with torch.enable_grad():
        said = model.log_likelihood(model.front(list(x)), answer)[0]
        slopes = [torch.autograd.grad(value, x, retain_graph=True)[0] for value in said[:-1]]
    found = []
    for token, slope in zip(model.spell(answer.ids[0]), slopes, strict=False):
        norm = slope.norm(dim=1, keepdim=True).cpu()
        pooled = avg_pool2d(norm, patch, ceil_mode=True)
        found.append((token, interpolate(pooled, norm.shape[-2:], mode="nearest")[0, 0]))
    return found


def by_prompt(
    model: Reader,
    method: MIMIC,
    prompts: Sequence[str],
    concepts: Sequence[str],
    real: Sequence[Tensor] | None,
    judges: Judges,
    names: Sequence[str] = (),
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Block]:
    """The same concepts as answers to each question alone, and to all of them at once.

    Args:
        model: the reader.
        method: whose settings are kept but for the questions.
        prompts: questions, 2 or more.
        concepts: B texts, of any lengths.
        real: of each concept, real pictures.
        judges: who judge what is found; those that answer are asked the same, of all questions the first.
        names: for the dual encoder.
        seed: of every search.
        progress: of each search.

    Returns:
        A gallery and a table, a row for each set of questions and concept.

    Raises:
        ObvertError: for fewer than 2 questions.
    """
    if len(prompts) < 2:
        raise ObvertError(f"need 2 questions or more to compare, got {len(prompts)}: say --prompt several times")
    shown: list[GalleryRow] = []
    told: list[dict[str, Any]] = []
    for asked in (*((prompt,) for prompt in prompts), tuple(prompts)):
        found = replace(method, prompts=asked, snapshots=())(model, concepts, real=real, seed=seed, progress=progress).cpu()
        rows = concept.rows(model.ask(asked[0]), found, concepts, asked_too(judges, model, asked[0]), names)
        label = asked[0] if len(asked) == 1 else f"all {len(asked)} questions"
        told += [{"question": label, "answer_tokens": row["answer_tokens"]} | {key: row[key] for key in KEPT} for row in rows]
        looks: list[tuple[Any, str, bool | None]] = [
            (_picture(found.features[k]), row["as_file"], bool(row["match"])) for k, row in enumerate(rows)
        ]
        shown.append(GalleryRow(query=label, label="", results={"found": looks}))
    return [
        Gallery(title="Question by question", queries=shown, note="Under a picture, what the model reads there, as it is."),
        Table(title="What the question makes of it", rows=told, columns=columns(told)),
    ]


def _picture(data: Tensor) -> Medium:
    return Medium(kind="picture", data=as_file(data.detach().cpu().clamp(0, 1), "picture"))
