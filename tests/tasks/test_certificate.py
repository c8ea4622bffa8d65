"""The certificate of the embedded CLIP: what it shows with pictures and without, and the blocks of a report."""

from __future__ import annotations

import numpy as np
import pytest

from obvert.composition.certificate import Negative
from obvert.report import Report, Table, write
from obvert.tasks.certificate import certificate
from obvert.zoo.exam import HELD_OUT, pictures
from obvert.zoo.scenes import Mention, caption, sample, sample_mention


@pytest.fixture(scope="module")
def seen() -> tuple[list[str], list, list[Negative]]:
    """Captions of Scenes, their pictures, and what their two colours make of them when they change places."""
    rng = np.random.default_rng(0)
    scenes = sample(90, HELD_OUT + 77)
    told = [Mention(tone=False) if len(scene.things) == 2 else sample_mention(rng) for scene in scenes]
    captions = [caption(scene, mention) for scene, mention in zip(scenes, told, strict=True)]
    negatives = []
    for row, scene in enumerate(scenes):
        colours = [thing.colour for thing in scene.things]
        if len(set(colours)) == 2:
            swap = {colours[0]: colours[1], colours[1]: colours[0]}
            text = " ".join(swap.get(word, word) for word in captions[row].split())
            negatives.append(Negative(caption=row, text=text, operator="swap", atom="colour"))
    captions.append(negatives[0].text)  # one of them is seen, with another picture
    return captions, pictures([*scenes, sample(1, 5)[0]]), negatives


def test_with_pictures(clip, seen, tmp_path) -> None:
    captions, shown, negatives = seen
    rows, blocks = certificate(clip.text_features, captions, clip.image_features(shown), negatives, sizes=(8, 64), draws=5)
    equal = [row for row in rows if row["task"] == "certificate"]
    assert [(row["batch"], row["temperature"]) for row in equal] == [(n, t) for n in (8, 64) for t in (0.01, 0.07, 0.5)]
    assert all(row["features"] == row["T o pi difference"] == 0 and row["T"] == row["T o pi"] for row in equal)
    (told,) = [row for row in rows if row["task"] == "negatives"]
    assert told["edits"] == len(negatives) == told["outside"] + 1
    assert (told["in support"], told["T o pi ties"], told["bag ties"]) == (1, len(negatives) - 1, len(negatives))
    assert told["bag accuracy"] == 0.5
    assert abs(told["T o pi accuracy"] - 0.5) <= 0.5 / len(negatives) + 1e-9
    assert told["T accuracy"] > 0.7
    learned = [row for row in rows if row["task"] == "bag of words"]
    assert {row["part"] for row in learned} == {"learned from", "held out"}
    assert max(row["r2"] for row in learned) > 0.9
    collisions = next(b for b in blocks if isinstance(b, Table) and b.title.startswith("Where it cannot"))
    assert [row["edit"] for row in collisions.rows] == [negatives[0].text]
    write(Report(title="certificate", blocks=blocks, rows=rows), tmp_path)


def test_without_pictures_and_without_negatives(clip, seen) -> None:
    captions, _, negatives = seen
    rows, blocks = certificate(clip.text_features, captions, None, negatives)
    first, told, *learned = rows
    assert first == {"task": "certificate", "captions": len(captions), "features": 0}
    assert told["T told apart"] == 1
    assert told["T o pi told apart"] == pytest.approx(0.5 + 0.5 / len(negatives))
    assert all("batch" not in row for row in learned)
    rows, blocks = certificate(clip.text_features, captions, None)
    assert {row["task"] for row in rows} == {"certificate", "bag of words"}
    assert len(blocks) == 5


def test_several_captions_of_a_picture(clip, seen) -> None:
    captions, _, negatives = seen
    numbers = [*range(len(captions) - 1), negatives[0].caption]
    rows, _ = certificate(clip.text_features, captions, None, negatives, pictures=numbers)
    told = next(row for row in rows if row["task"] == "negatives")
    assert (told["in support"], told["edits"]) == (0, len(negatives) - 1)
