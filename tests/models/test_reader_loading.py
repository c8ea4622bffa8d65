"""Loading readers: what folders may leave out, instructions, and one line for each thing that is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_readers as readers
import torch

import obvert
from obvert.core import ObvertError, Reader
from obvert.hub import kind_of, zoo
from obvert.models import load_autoencoder, load_diffusion, load_dual, load_reader
from obvert.models.parts.reader import LONGEST, Words, longest
from obvert.models.whisper import prompt


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: write(tmp_path_factory.mktemp("reader")).folder for name, write in readers.FAMILIES.items()}


@pytest.fixture
def copied(folders: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """A folder of its own to break."""
    return lambda name: Path(shutil.copytree(folders[name], tmp_path / "copy", dirs_exist_ok=True))


def refused(folder: Path, told: str) -> None:
    """Loading ends in one line that tells this."""
    with pytest.raises(ObvertError, match=told) as caught:
        obvert.load(str(folder), device="cpu")
    assert "\n" not in str(caught.value)


def test_kinds_are_told_apart(folders: dict[str, Path]) -> None:
    kinds = {name: kind_of(folder) for name, folder in folders.items()}
    assert kinds == {name: "recogniser" if "whisper" in name else "captioner" for name in folders}
    assert not {*zoo("captioner"), *zoo("recogniser")} & set(zoo("dual encoder"))
    for name, other in (("blip", "captioner"), ("whisper", "speech recogniser")):
        folder = str(folders[name])
        assert isinstance(load_reader(folder, device="cpu"), Reader)
        for load, wanted in ((load_dual, "dual encoder"), (load_diffusion, "pipeline"), (load_autoencoder, "autoencoder")):
            with pytest.raises(ObvertError, match=f"need an? .*{wanted} .*, got the {other} {folder}"):
                load(folder, device="cpu")
    for name, other in (("zoo/clip", "dual encoder"), ("zoo/vae", "autoencoder")):
        with pytest.raises(ObvertError, match=f"need a captioner .* or a speech recogniser .*, got the {other} {name}"):
            load_reader(name, device="cpu")


@pytest.mark.parametrize("name", readers.FAMILIES)
def test_what_is_missing_is_told(name: str, copied: Callable[[str], Path]) -> None:
    folder = copied(name)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (folder / file).unlink()
    refused(folder, "need a tokenizer in")
    folder = copied(name)
    for file in folder.glob("p*processor*.json"):
        told = file.read_text()
        file.write_text("{")
        refused(folder, file.name)
        file.unlink()
        refused(folder, "need preprocessor_config.json in")
        file.write_text(told)
    (folder / "model.safetensors").unlink()
    refused(folder, "For.* in safetensors in")


@pytest.mark.parametrize("name", ["blip", "whisper"])
def test_both_places_of_the_preprocessing(name: str, copied: Callable[[str], Path]) -> None:
    """Its own file, or a part of the processor's, as newer versions write it."""
    folder, part = copied(name), "image_processor" if name == "blip" else "feature_extractor"
    alone, whole = folder / "preprocessor_config.json", folder / "processor_config.json"
    config = json.loads((alone if alone.exists() else whole).read_text())
    config = config.get(part, config)
    found = []
    for path, content in ((alone, config), (whole, {part: config})):
        for file in (alone, whole):
            file.unlink(missing_ok=True)
        path.write_text(json.dumps(content))
        model = load_reader(str(folder), device="cpu")
        found.append(model.front([torch.full(model.medium.shape, 0.3)]))
    assert torch.equal(*found)


def test_windows_must_agree(copied: Callable[[str], Path]) -> None:
    folder = copied("whisper")
    path = folder / "preprocessor_config.json"
    readers.change(path, chunk_length=30)
    refused(folder, "need 80 mel bands and 100 frames in .*, got 80 and 30 s, which are 3000 frames")
    readers.change(path, chunk_length=1, feature_size=128)
    refused(folder, "need 80 mel bands and 100 frames in .*, got 128 and 1 s")
    readers.change(path, feature_size=80, dither=0.1)
    refused(folder, "without dither")


def test_pictures_must_agree(copied: Callable[[str], Path]) -> None:
    folder = copied("blip")
    config = json.loads((folder / "processor_config.json").read_text())["image_processor"]
    (folder / "processor_config.json").unlink()
    (folder / "preprocessor_config.json").write_text(json.dumps({key: v for key, v in config.items() if key != "size"}))
    refused(folder, "need pictures of 32x32 in .*, got 384x384")  # BLIP's default


def test_other_models_of_the_same_type_are_refused(copied: Callable[[str], Path]) -> None:
    folder = copied("blip")
    readers.change(folder / "config.json", architectures=["BlipForQuestionAnswering"])
    refused(folder, "need a BlipForConditionalGeneration in .*, got BlipForQuestionAnswering")
    readers.change(folder / "config.json", architectures=None)
    assert load_reader(str(folder), device="cpu").read([]) == []


def test_a_picture_needs_a_token(copied: Callable[[str], Path]) -> None:
    folder = copied("blip-2 of OPT")
    readers.change(folder / "config.json", image_token_index=None)
    refused(folder, "need image_token_index in .*config.json, got none")
    folder = copied("blip-2 of T5")
    text = json.loads((folder / "config.json").read_text())["text_config"]
    readers.change(folder / "config.json", text_config={**text, "decoder_start_token_id": None})
    refused(folder, "need decoder_start_token_id in .*config.json, got none")


def test_languages_and_tasks(folders: dict[str, Path]) -> None:
    model = load_reader(str(folders["whisper"]), device="cpu")
    x = model.front(readers.sounds())
    answer = model.answer(["red"] * 3)
    said = {told: model.ask(told).log_likelihood(x, answer) for told in ("", "en", "German", "de/transcribe", "/translate")}
    assert torch.equal(said[""], said["en"])
    assert torch.equal(said["German"], said["de/transcribe"])
    assert not torch.equal(said[""], said["German"])
    assert not torch.equal(said[""], said["/translate"])
    assert torch.equal(model.ask("de").ask("en").log_likelihood(x, answer), said["en"])
    for told, reason in (("dee", "unknown language 'dee'; did you mean .*de"), ("en/translat", "unknown task .* mean translate")):
        with pytest.raises(ObvertError, match=reason):
            model.ask(told)
    english = load_reader(str(folders["whisper of English"]), device="cpu")
    for told in ("de", "en/translate"):
        with pytest.raises(ObvertError, match=f"need en/transcribe for .*, which knows English alone, got {told}"):
            english.ask(told)


def test_settings_that_old_folders_lack_come_from_the_vocabulary(copied: Callable[[str], Path]) -> None:
    from transformers import GenerationConfig

    folder = copied("whisper")
    before = load_reader(str(folder), device="cpu")
    settings = json.loads((folder / "generation_config.json").read_text())
    lack = ("lang_to_id", "task_to_id", "no_timestamps_token_id", "is_multilingual")
    readers.change(folder / "generation_config.json", **dict.fromkeys(lack))
    after = load_reader(str(folder), device="cpu")
    x, answer = before.front(readers.sounds()), before.answer(["red"] * 3)
    for told in ("", "de/translate"):
        assert torch.equal(before.ask(told).log_likelihood(x, answer), after.ask(told).log_likelihood(x, answer))
        assert before.ask(told).generate(x) == after.ask(told).generate(x)
    only = GenerationConfig(**settings | {"lang_to_id": {"<|de|>": 7}})
    assert prompt(only, "", "tiny") == (
        {"language": "de", "task": "transcribe"},
        [7, settings["task_to_id"]["transcribe"], settings["no_timestamps_token_id"]],
    )
    vocabulary = json.loads((folder / "tokenizer.json").read_text())
    vocabulary["added_tokens"] = [t for t in vocabulary["added_tokens"] if t["content"] != "<|notimestamps|>"]
    (folder / "tokenizer.json").write_text(json.dumps(vocabulary))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config).replace("<|notimestamps|>", "<|other|>"))
    refused(folder, "need the tokens <|notimestamps|>")


def test_instructions_must_leave_room(folders: dict[str, Path]) -> None:
    model = load_reader(str(folders["blip"]), device="cpu")
    assert model.ask("red " * 14).answer(["blue"]).ids.shape == (1, 2)
    with pytest.raises(ObvertError, match="need an instruction that leaves room for an answer"):
        model.ask("red " * 15)


def test_unknown_words_are_named(folders: dict[str, Path]) -> None:
    model = load_reader(str(folders["blip"]), device="cpu")
    with pytest.warns(UserWarning, match="'a zebra' has words that .* does not know; it is read as: a <unknown> <end>"):
        model.answer(["a zebra"])


def test_texts_end_at_their_end_token() -> None:
    words = Words(tokenizer=readers.words(), end=3)
    assert words.say(torch.tensor([[1, 4, 17, 3, 9], [3, 4, 4, 4, 4], [4, 17, 0, 0, 0]])) == ["a red", "", "a red"]


def test_texts_follow_what_stands_before_them(folders: dict[str, Path]) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folders["whisper"])
    ids = tokenizer.convert_tokens_to_ids
    spaced, bare = ids([readers.SPACE + "r", "ed"]), ids(["r", "ed"])
    for before, own in (("", bare), (" ", spaced), ("a photo of ", spaced)):
        assert Words(tokenizer=tokenizer, end=9, before=before).answer(" red ") == [*own, 9]


def test_how_much_is_said() -> None:
    from transformers import GenerationConfig

    assert longest(GenerationConfig(), 3, None) == longest(GenerationConfig(), 3, 1000) == LONGEST
    assert longest(GenerationConfig(max_new_tokens=7), 3, 1000) == 7
    assert longest(GenerationConfig(max_length=448), 4, 444) == 444
    assert longest(GenerationConfig(max_length=448), 4, 9) == 9
