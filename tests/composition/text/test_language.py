"""What looks like English: every caption of SugarCrepe, and none in other languages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from obvert.composition.text.language import looks_english


@pytest.mark.parametrize(
    "text",
    [
        "Ein Mann in einem roten Hemd sitzt auf einer Bank",
        "un homme en chemise rouge est assis sur un banc",
        "un hombre con camisa roja sentado en un banco",
        "een man in een rood shirt zit op een bank",
        "uma mulher com um vestido vermelho e um cachorro",
        "Два человека на лодке",
        "一个男人",
    ],
)
def test_other_languages(text: str) -> None:
    assert not looks_english(text)


@pytest.mark.parametrize("text", ["a photo of a red circle", "café", "two dogs", "", "42", "A café with naïve décor on the wall"])
def test_english_and_what_is_too_short_to_tell(text: str) -> None:
    assert looks_english(text)


def test_the_captions_of_sugarcrepe(shared_data: Path) -> None:
    files = sorted((shared_data / "sugarcrepe").glob("*.json"))
    captions = [entry["caption"] for file in files for entry in json.loads(file.read_text()).values()]
    assert len(captions) == 7511
    assert all(map(looks_english, captions))
