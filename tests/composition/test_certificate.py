"""Pseudo-optimal encoders: what pi must keep, by hand and at random; equal losses and ties to the last bit; where they end."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from obvert.composition.certificate import Negative, draw, equal_losses, losses, of_contrasts, retract, retractions_needed
from obvert.composition.text.words import words
from obvert.core import Contrast, ObvertError

SEEN = ["a red cat and a blue dog", "a green bird", "a blue cat and a red dog", "a man on a horse"]
EDITS = [
    Negative(caption=0, text="a red dog and a blue cat"),
    Negative(caption=0, text="A blue cat and a red dog."),
    Negative(caption=0, text="a red bird"),
    Negative(caption=1, text="a red bird"),
    Negative(caption=3, text="a horse on a man"),
    Negative(caption=3, text="A man on a horse!"),
]


def ordered(texts: Sequence[str]) -> Tensor:
    """A toy encoder that reads the order: a word's vector depends on its place."""
    rows = []
    for text in texts:
        drawn = [
            torch.randn(8, generator=torch.Generator().manual_seed(zlib.crc32(f"{place} {word}".encode())))
            for place, word in enumerate(words(text))
        ]
        rows.append(torch.stack(drawn).sum(0))
    return normalize(torch.stack(rows), dim=1)


def test_where_each_edit_lies() -> None:
    pi, places = retract(SEEN, EDITS)
    assert places == ["outside", "in support", "outside", "contested", "outside", "no edit"]
    assert [pi(negative.text) for negative in EDITS] == [SEEN[0], EDITS[1].text, SEEN[0], SEEN[0], SEEN[3], EDITS[5].text]
    assert retractions_needed(SEEN, EDITS, places) == 2
    same = retract(SEEN, EDITS, pictures=[0, 1, 0, 2])[1]
    assert same[1] == "same picture", "another caption of the same picture says the same"
    assert retractions_needed(SEEN, [], []) == 0


PHRASE = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map(" ".join)


@given(st.lists(PHRASE, min_size=1), st.lists(st.tuples(st.integers(0, 99), PHRASE)))
def test_pi_is_a_retraction_onto_what_was_seen(captions: list[str], edits: list[tuple[int, str]]) -> None:
    negatives = [Negative(caption=row % len(captions), text=text) for row, text in edits]
    pi, places = retract(captions, negatives)
    assert all(pi(text) == text for text in captions)
    for negative, place in zip(negatives, places, strict=True):
        assert pi(pi(negative.text)) == pi(negative.text) in captions
        assert (pi(negative.text) == captions[negative.caption]) == (place in ("outside", "no edit"))
        assert (pi(negative.text) == negative.text) == (negative.text in captions)


def test_the_loss_is_the_same_and_the_edits_are_ties() -> None:
    captions = [
        f"a {colour} {thing} on a {place}" for colour in ("red", "blue") for thing in ("cat", "dog") for place in ("mat", "bed")
    ]
    negatives = [Negative(caption=row, text=" ".join(reversed(text.split()))) for row, text in enumerate(captions)]
    pi, places = retract(captions, negatives)
    assert places == ["outside"] * 8
    blind = pi.through(ordered)
    image = normalize(torch.randn(8, 8, generator=torch.Generator().manual_seed(1)), dim=1)
    rows = equal_losses(image, {"T": ordered(captions), "blind": blind(captions)}, sizes=(2, 4, 8), temperatures=(0.01, 0.1, 1.0))
    assert len(rows) == 9
    assert all(row["T"] == row["blind"] and row["blind difference"] == 0 for row in rows)
    right, wrong = blind([*captions, *(negative.text for negative in negatives)]).chunk(2)
    assert torch.equal(right, wrong)
    right, wrong = ordered([*captions, *(negative.text for negative in negatives)]).chunk(2)
    assert (right - wrong).norm(dim=1).min() > 0.1, "the encoder itself tells them apart"


def test_what_was_seen_with_another_picture_is_told_apart() -> None:
    pair = ["a red cat and a blue dog", "a blue cat and a red dog"]
    pi, places = retract(pair, [Negative(caption=0, text=pair[1]), Negative(caption=1, text=pair[0])])
    assert places == ["in support", "in support"]
    assert torch.equal(pi.through(ordered)(pair), ordered(pair))
    collapsed = ordered([pair[0], pair[0]])
    row = equal_losses(ordered(pair), {"T": ordered(pair), "tied": collapsed}, sizes=(2,), temperatures=(0.1,))[0]
    assert row["tied"] >= math.log(2) > row["T"], "whoever ties them pays for it"


def test_the_loss_by_hand() -> None:
    eye = torch.eye(4)
    batches = torch.tensor([[0, 1, 2, 3]])
    for temperature in (0.1, 1.0):
        assert losses(eye, eye, batches, temperature).item() == pytest.approx(math.log(1 + 3 * math.exp(-1 / temperature)))
        assert losses(eye, eye[[0, 0, 0, 0]], batches, temperature).item() >= math.log(4)
    assert losses(eye, eye.flip(0), torch.tensor([[0, 3], [1, 2]]), 0.5).tolist() == pytest.approx(
        [math.log(1 + math.exp(2))] * 2
    )


def test_batches_are_drawn_without_replacement() -> None:
    batches = draw(10, 6, 20, seed=3)
    assert batches.shape == (20, 6)
    assert all(len(set(batch.tolist())) == 6 for batch in batches)
    assert torch.equal(batches, draw(10, 6, 20, seed=3))
    with pytest.raises(ObvertError, match="need batches of 2 to 10 captions"):
        draw(10, 11, 1)


def test_contrasts_as_captions_and_negatives() -> None:
    items = [
        Contrast(texts=("a", "b", "c"), operator="swap", atom="object"),
        Contrast(texts=("d", "e", "f"), right=((0, 1),), operator="replace"),
    ]
    captions, negatives = of_contrasts(items)
    assert captions == ["a", "d"]
    assert [(n.caption, n.text, n.operator, n.atom) for n in negatives] == [
        (0, "b", "swap", "object"),
        (0, "c", "swap", "object"),
        (1, "f", "replace", ""),
    ]


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(ObvertError, match="got 1 without words, 2 pictures of 2"):
        retract(["a cat", "..."], [])
    with pytest.raises(ObvertError, match="1 pictures of 2"):
        retract(["a cat", "a dog"], [], pictures=[3])


def test_real_features_of_clip(shared_data: Path) -> None:
    from safetensors.torch import load_file

    captions = [row["caption"] for row in json.loads((shared_data / "clip500" / "rows.json").read_text())]
    features = load_file(shared_data / "clip500" / "features.safetensors")
    image, text = (normalize(features[name].float(), dim=1) for name in ("image", "text"))
    at = {caption: row for row, caption in enumerate(captions)}
    negatives = [Negative(caption=row, text=" ".join(reversed(words(caption)))) for row, caption in enumerate(captions)]
    pi, places = retract(captions, negatives)
    assert places.count("outside") == 500

    def tower(texts: Sequence[str]) -> Tensor:  # what is not among the captions has no features, and needs none behind pi
        return text[[at[one] for one in texts]]

    blind = pi.through(tower)
    rows = equal_losses(image, {"T": text, "blind": blind(captions)}, sizes=(16, 256), temperatures=(0.01, 0.07), draws=10)
    assert all(row["blind difference"] == 0 for row in rows)
    right, wrong = blind([*captions, *(negative.text for negative in negatives)]).chunk(2)
    assert torch.equal(right, wrong)
