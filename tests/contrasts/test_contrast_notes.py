"""What a benchmark says of itself: what was left out, what repeats, what counts in its mean, and what belongs together."""

from __future__ import annotations

import json
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from miniatures import BIVLC, controlled, genome, pictures, sugarcrepe, valse, written
from PIL import Image

from obvert.contrasts import read
from obvert.contrasts.aro import order
from obvert.core import ContrastSet, ObvertError
from obvert.io import read_images


def crepe(root: Path, *items: tuple[str, str, str]) -> None:
    keys = ("filename", "caption", "negative_caption")
    written(root / "add_att.json", {str(i): dict(zip(keys, item, strict=True)) for i, item in enumerate(items)})


def test_missing_pictures_leave_their_items_out_and_say_so(tmp_path: Path) -> None:
    crepe(tmp_path, *((f"{i}.jpg", f"a cat {i}", f"a dog {i}") for i in range(5)))
    pictures(tmp_path, "1.jpg", "3.jpg")
    found = read("sugarcrepe/add_att", tmp_path, tmp_path / "images")
    assert [item.texts[0] for item in found.items] == ["a cat 1", "a cat 3"]
    assert found.missing == 3
    assert found.notes == (
        f"3 of 5 items left out, no such picture in {tmp_path / 'images'}: 0.jpg, ...",
        "2 of 5 items are evaluated",
    )
    assert len(read("sugarcrepe/add_att", tmp_path).items) == 5


def test_a_negative_that_is_the_caption_and_an_empty_one_are_left_out_and_told(tmp_path: Path) -> None:
    crepe(
        tmp_path, ("1.jpg", "a  Cat", "A cat "), ("1.jpg", "a cat", " "), ("1.jpg", "a cat", "a dog"), ("1.jpg", "a cat", "a dog")
    )
    found = read("sugarcrepe/add_att", tmp_path)
    assert [item.texts for item in found.items] == [("a cat", "a dog")] * 2
    assert found.notes == (
        "1 of 4 items left out, a text is empty: ('a cat', ' ')",
        "1 of 4 items left out, the wrong text is the right one: 'a  Cat'",
        "2 of 4 items are evaluated",
        "1 of 2 items repeat an earlier one",
    )
    crepe(tmp_path, ("1.jpg", "a cat", "a cat"))
    with pytest.raises(ObvertError, match="need items of sugarcrepe, got none; 1 of 1 items left out, the wrong text is"):
        read("sugarcrepe/add_att", tmp_path)


def test_an_item_that_lacks_a_text_is_named(tmp_path: Path) -> None:
    sugarcrepe(tmp_path, "swap_obj")
    path = tmp_path / "swap_obj.json"
    entries = json.loads(path.read_text()) | {"k7": {"filename": "1.jpg", "caption": "a cat", "negative_caption": None}}
    written(path, entries)
    with pytest.raises(ObvertError, match=r"swap_obj\.json, item k7: need texts under 'filename', 'caption', 'negative_caption'"):
        read("sugarcrepe/swap_obj", tmp_path)


def test_all_parts_need_all_their_files(tmp_path: Path) -> None:
    sugarcrepe(tmp_path, "add_att")
    with pytest.raises(ObvertError, match=r"need .*add_obj\.json, got No such file"):
        read("sugarcrepe", tmp_path)


def test_valse_keeps_what_its_annotators_kept(tmp_path: Path) -> None:
    valse(tmp_path, "existence")
    found = read("valse/existence", tmp_path)
    assert len(found.items) == 1
    assert found.notes == ("1 of 2 items are not valid: fewer than 2 annotators chose the caption",)
    path = tmp_path / "data" / "existence.json"
    entries = json.loads(path.read_text())
    written(path, {"x": entries["existence_0"] | {"mturk": {}}})
    with pytest.raises(ObvertError, match=r'existence\.json, item x: need votes under "mturk"'):
        read("valse/existence", tmp_path)


def test_of_visual_genome_only_some_relations_count_in_the_mean(tmp_path: Path) -> None:
    genome(tmp_path, "vg_relation")
    path = tmp_path / "visual_genome_relation.json"
    (one,) = json.loads(path.read_text())
    sizes = {"on": 10, "feeding": 9, "near": 30, "under": 12}
    written(path, [one | {"relation_name": name} for name, size in sizes.items() for _ in range(size)])
    found = read("aro/vg_relation", tmp_path)
    assert found.averaged == ("on", "under")
    assert found.notes[-1] == "2 of 4 categories count in the mean: those of 10 items or more, but symmetric relations"
    written(path, [one])
    found = read("aro/vg_relation", tmp_path)
    assert found.averaged is None
    assert found.notes[-1] == "1 of 1 categories count in the mean: none has enough items, so all do"
    written(path, [{key: value for key, value in one.items() if key != "bbox_w"}])
    with pytest.raises(ObvertError, match=r"item 0: need a box, and a relation"):
        read("aro/vg_relation", tmp_path)


def together(found: ContrastSet, measure: str) -> list[set[str]]:
    return [{found.items[row].atom for row in rows} for rows in found.together[measure]]


def test_photographs_of_the_same_things_belong_together(tmp_path: Path) -> None:
    for part in ("controlled_images", "controlled_clevr"):
        controlled(part)(tmp_path)
    found = read("whatsup/controlled_clevr", tmp_path)
    assert [item.atom for item in found.items] == ["left", "right", "front", "behind"]
    assert found.measures == ("micro", "pair", "set")
    assert together(found, "pair") == [{"left", "right"}, {"front", "behind"}]
    assert together(found, "set") == [{"left", "right", "front", "behind"}]
    found = read("whatsup/controlled_images", tmp_path)
    assert together(found, "pair") == [{"left", "right"}, {"on", "under"}]
    (tmp_path / "images" / "controlled_images" / "mug_2_table.jpeg").unlink()
    found = read("whatsup/controlled_images", tmp_path, tmp_path / "images")
    assert (len(found.items), found.missing) == (3, 1)
    assert together(found, "pair") == [{"left", "right"}]  # which is whole
    assert found.measures == ("micro", "pair")
    assert found.notes[-1] == "0 of 1 sets of 4 photographs are whole"


def test_options_that_are_no_list_of_texts_are_told(tmp_path: Path) -> None:
    for options in (None, ["one"], ["one", 2]):
        written(tmp_path / "controlled_images_dataset.json", [{"image_path": "a.jpg", "caption_options": options}])
        with pytest.raises(ObvertError, match=r'item 0: need two texts or more under "caption_options"'):
            read("whatsup/controlled_images", tmp_path)


def cell(colour: str) -> dict[str, Any]:
    content = BytesIO()
    Image.new("RGB", (4, 3), colour).save(content, format="PNG")
    return {"bytes": content.getvalue(), "path": None}


def test_publishers_tables_hold_the_pictures(tmp_path: Path) -> None:
    row = BIVLC | {"type": "swap", "subtype": "att", "image": cell("red"), "negative_image": cell("blue")}
    (tmp_path / "data").mkdir()
    pq.write_table(pa.Table.from_pylist([row, row | {"caption": "a bird"}]), tmp_path / "data" / "test-00000-of-00001.parquet")
    found = read("bivlc", tmp_path)
    assert [item.texts[0] for item in found.items] == ["a cat", "a bird"]
    assert (found.items[0].operator, found.items[0].atom) == ("swap", "attribute")
    red, blue = read_images(list(found.items[1].pictures))
    assert red[:, 0, 0].tolist() == [1, 0, 0]
    assert blue[:, 0, 0].tolist() == [0, 0, 1]
    (tmp_path / "data" / "test-00000-of-00001.parquet").write_bytes(b"no table")
    with pytest.raises(ObvertError, match="need a Parquet table"):
        read("bivlc", tmp_path)


def test_a_table_lacking_a_column_is_told(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([{"caption_0": "a", "caption_1": "b"}]), tmp_path / "a.parquet")
    with pytest.raises(ObvertError, match="need a column 'collapsed_tag'"):
        read("winoground", tmp_path)


CAPTIONS = st.lists(st.sampled_from(["a", "the", "red", "big", "cat", "dog", "on", "sees"]), min_size=1, max_size=12)


@given(CAPTIONS, st.integers(0, 5))
def test_shuffles_change_the_order_and_nothing_else(said: list[str], seed: int) -> None:
    (found,) = order([" ".join(said)], seed)
    if found is None:
        assert len(set(said)) == 1 or len(said) < 3
        return
    bags = [Counter(text.split()) for text in found.texts]
    assert bags == [bags[0]] * len(bags)
    assert len(set(found.texts)) == len(found.texts) <= 5


def test_shuffles_are_what_they_are_called() -> None:
    text = "a red cat sees the big dog on a mat"
    spans = [(2, 5, "attribute"), (6, 9, "object"), (19, 22, "attribute"), (23, 26, "object"), (32, 35, "object")]
    assert [text[start:stop] for start, stop, _ in spans] == ["red", "cat", "big", "dog", "mat"]
    (found,) = order([text], 0, lambda _: spans)
    assert found
    _, content, rest, within, threes = (t.split() for t in found.texts)
    where = {1: {"red", "big"}, 5: {"red", "big"}, 2: {"cat", "dog", "mat"}, 6: {"cat", "dog", "mat"}, 9: {"cat", "dog", "mat"}}
    assert all((word in where[i]) if i in where else word == text.split()[i] for i, word in enumerate(content))
    assert [rest[i] for i in where] == [text.split()[i] for i in where]
    assert [sorted(within[i : i + 3]) for i in (0, 3, 6)] == [sorted(text.split()[i : i + 3]) for i in (0, 3, 6)]
    assert all(" ".join(text.split()[i : i + 3]) in " ".join(threes) for i in (0, 3, 6))


def test_a_captions_shuffles_do_not_depend_on_the_others() -> None:
    first, second = "a cat on a mat", "the dog sees a big red bird"
    assert order([first, second], 3)[0] == order([first], 3)[0]
    assert order([second], 3) != order([second], 4)


def test_captions_that_cannot_be_shuffled_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "captions.tsv"
    written(path, "1.jpg\tA cat sees the dog.\n1.jpg\tdog\n2.jpg\ttwo dogs\n2.jpg\tDogs, dogs!\n")
    pictures(tmp_path, "1.jpg")
    found = read("aro/order", path)
    assert [item.texts[0] for item in found.items] == ["a cat sees the dog", "two dogs"]
    assert found.notes == (
        "2 of 4 captions left out, since no shuffle changes them",
        "1 of 2 captions have fewer than four shuffles that differ",
    )
    written(path, "1.jpg\tA cat sees the dog.\n1.jpg\t \n2.jpg\ttwo dogs\n2.jpg\ttwo dogs\n")
    assert read("aro/order", path).notes[:2] == (
        "1 of 4 captions left out, since they are empty",
        "1 of 4 captions left out, since they repeat others of their picture",
    )
    assert read("aro/order", path, tmp_path / "images").missing == 1
    written(path, "1.jpg\tdog\n")
    with pytest.raises(ObvertError, match="need items of aro, got none"):
        read("aro/order", path)
