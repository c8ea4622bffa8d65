"""What tells two sentences apart, by hand, on Scenes and on real pairs."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from obvert.composition.operators import Change, Vocabulary, edits, explain, one_word
from obvert.composition.text.parsing import parser
from obvert.composition.text.sentence import Kind
from obvert.zoo.scenes import caption, sample, sample_mention

free, scene = parser("lexicon"), parser("scenes")
WORDS = Vocabulary.of(scene(caption(drawn)) for drawn in sample(300, 0))


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ("A red cup on a mat.", "A blue cup on a mat.", ("replace", "attribute", "colour")),
        ("An orange cup on a mat", "A red cup on a mat", ("replace", "attribute", "colour")),
        ("A cup on a mat", "A hat on a mat", ("replace", "object", "")),
        ("A cup on a mat", "A cup in front of a mat", ("replace", "relation", "spatial")),
        ("A man holding a cup", "A man washing a cup", ("replace", "relation", "action")),
        ("A red cup and a blue hat", "A blue cup and a red hat", ("swap", "attribute", "colour")),
        ("A cup on a blue hat", "A hat on a blue cup", ("swap", "object", "")),
        ("A red cup on two blue hats", "Two blue hats on a red cup", ("swap", "object", "phrase")),
        (
            "One giraffe and two zebras are in a field",
            "Two giraffes and one zebra are in a field",
            ("swap", "attribute", "number"),
        ),
        ("A cup on a mat", "A red cup on a mat", ("add", "attribute", "colour")),
        ("A dog is sleeping", "A dog and a cat are sleeping", ("add", "object", "")),
        ("A red cup", "a RED cup.", None),
        ("A red cup", "A cup", None),
        ("", "", None),
    ],
)
def test_changes_by_hand(before: str, after: str, change: tuple[str, Kind, str] | None) -> None:
    assert explain(free(before), free(after)) == (Change(*change) if change else None)


def test_the_words_that_differ() -> None:
    words = one_word("A red cup.", "a blue CUP")
    assert words is not None
    assert [(word.text, word.start) for word in words] == [("red", 2), ("blue", 2)]
    for other in ("A red cup", "A red cup on a mat", "A blue hat", "cup red A", ""):
        assert one_word("A red cup.", other) is None


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_edits_are_explained(seed: int) -> None:
    sentence = scene(caption(sample(1, seed)[0], sample_mention(np.random.default_rng(seed))))
    for edit in edits(sentence, WORDS):
        change = explain(edit.before, edit.after)
        assert change is not None
        if edit.operator == "swap":  # of phrases, the difference may lie in their objects or their attributes alone
            assert change.operator == "swap"
            assert edit.group == "phrase" or change == ("swap", edit.kind, edit.group)
        else:
            assert change == (edit.operator, edit.kind, edit.group)


def test_real_pairs_are_explained_as_their_file_says(shared_data: Path) -> None:
    for name, least in (("replace_obj", 0.94), ("replace_att", 0.8), ("replace_rel", 0.8), ("swap_obj", 0.7), ("add_att", 0.85)):
        operator, atom = name.split("_")
        items = json.loads((shared_data / "sugarcrepe" / f"{name}.json").read_text(encoding="utf-8")).values()
        found = [explain(free(item["caption"]), free(item["negative_caption"])) for item in list(items)[:200]]
        right = [change is not None and change.operator == operator and change.kind.startswith(atom) for change in found]
        assert np.mean(right) > least
