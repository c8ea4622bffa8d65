"""A user's own captions as contrasts: what is made of them, what is counted, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from obvert.composition.text.canonical import canonical
from obvert.composition.text.parsing import parser
from obvert.core import ObvertError
from obvert.media import Medium, save
from obvert.tasks._audit_captions import ANOTHER, NATURAL, from_captions
from obvert.zoo.exam import pictures
from obvert.zoo.scenes import sample

READ = parser("lexicon")
CAPTIONS = [
    ("1.png", "a red cup left of a blue bowl"),
    ("1.png", "a blue bowl right of a small red cup"),
    ("2.png", "a blue cup left of a red bowl"),
    ("3.png", "a red cup on a wooden table"),
    ("4.png", "a green cup on a wooden table"),
    ("4.png", "a green cup on a wooden table"),
    ("5.png", "ein roter Becher steht auf dem Tisch"),
    ("6.png", " "),
]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "c.tsv").write_text("".join(f"{name}\t{text}\n" for name, text in CAPTIONS))
    for i, shown in enumerate(pictures(sample(4, 5)), 1):
        save(Medium(kind="picture", data=shown), tmp_path / f"{i}")
    return tmp_path


def test_edits_natural_pairs_and_paraphrases(own: Path) -> None:
    found = from_captions(own / "c.tsv", own, READ)
    natural = [item for item in found.contrasts.items if item.crossed]
    told = {(item.texts, item.operator, item.atom) for item in natural}
    assert told == {
        (("a red cup left of a blue bowl", "a blue cup left of a red bowl"), "swap", "colour" + NATURAL),
        (("a red cup on a wooden table", "a green cup on a wooden table"), "replace", "colour" + NATURAL),
    }
    assert [Path(p).name for p in natural[0].pictures] == ["1.png", "2.png"]
    made = [item for item in found.contrasts.items if not item.crossed]
    assert {item.depth for item in made} == {1, 2, 3}
    assert {item.operator for item in made if item.depth == 1} == {"swap", "replace", "add"}
    for item in made:
        assert item.right == ((0,),)
        assert canonical(READ(item.texts[0])) != canonical(READ(item.texts[1]))
        assert item.depth == 1 or item.atom == "several"
    assert {item.category for item in found.again.items} == {ANOTHER}
    assert all(set(item.texts[:2]) <= {text for name, text in CAPTIONS if name == "1.png"} for item in found.again.items)


def test_what_is_odd_is_counted_and_missing_pictures_are_told(own: Path) -> None:
    found = from_captions(own / "c.tsv", own, READ)
    assert found.counted == {"captions": 8, "empty": 1, "repeated": 1, "not English": 1}
    assert found.warnings == (f"1 of 6 captions have no picture in {own}; 5 are evaluated with theirs",)
    assert len(found.captions) == 6
    assert not from_captions(own / "c.tsv", None, READ).contrasts.items[0].pictures


def test_a_caption_of_the_same_picture_is_never_wrong(tmp_path: Path) -> None:
    colours = ("red", "blue", "green", "black", "white")
    (tmp_path / "c.tsv").write_text("".join(f"x\ta {one} cup\n" for one in colours) + "y\ta cup\n")
    items = from_captions(tmp_path / "c.tsv", None, READ).contrasts.items
    said = {f"a {one} cup" for one in colours}
    assert not [item for item in items if item.texts[0] in said and item.texts[1] in said]


def test_of_many_captions_whole_pictures_are_drawn(tmp_path: Path) -> None:
    lines = [f"{i}\ta red cup {word} a blue bowl near tree {i}\n" for i in range(50) for word in ("on", "under")]
    (tmp_path / "c.tsv").write_text("".join(lines))
    found = from_captions(tmp_path / "c.tsv", None, READ, most=11, seed=1)
    assert len(found.captions) == 12
    assert "12 of 100 captions are used, drawn by picture" in found.warnings
    again = from_captions(tmp_path / "c.tsv", None, READ, most=11, seed=1)
    assert [item.texts for item in again.contrasts.items] == [item.texts for item in found.contrasts.items]
    assert from_captions(tmp_path / "c.tsv", None, READ, most=11, seed=2).captions != found.captions


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x\t \n", "need captions with words in them, got 1 empty ones"),
        ("x\tof the\n", "need captions in which an operator finds something to change, got none"),
        ("no tab\n", "item 1: need a caption"),
    ],
)
def test_what_cannot_be_used(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "c.tsv").write_text(text)
    with pytest.raises(ObvertError, match=told):
        from_captions(tmp_path / "c.tsv", None, READ)


def test_no_picture_at_all_is_refused(own: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(ObvertError, match=r"need pictures of .*c\.tsv in .*none, got none, e\.g\. no 1\.png"):
        from_captions(own / "c.tsv", tmp_path / "none", READ)


def test_marks_of_a_template_are_not_shown_to_a_model(tmp_path: Path) -> None:
    lines = ["a [attribute/colour:red] [object:cup] [relation:on] a [object:table]", "a [attribute/colour:blue] [object:bowl]"]
    (tmp_path / "c.txt").write_text("\n".join(lines))
    seen: list[tuple[int, int]] = []
    found = from_captions(
        tmp_path / "c.txt", None, parser("template"), progress=lambda done, total, _: seen.append((done, total))
    )
    assert found.captions == ["a red cup on a table", "a blue bowl"]
    assert "a red bowl" in {text for item in found.contrasts.items for text in item.texts}
    assert not any("[" in text for item in found.contrasts.items for text in item.texts)
    assert seen == [(1, 2), (2, 2)]
