"""Where a model lies, and one helpful line, soon, when it lies nowhere."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

import obvert
from obvert.core import ObvertError
from obvert.hub import ZOO, is_pipeline, locate, weights_hash, zoo


def refused(name: str, told: str) -> None:
    """Locating ends within five seconds in one line that tells this."""
    began = time.perf_counter()
    with pytest.raises(ObvertError, match=told) as caught:
        locate(name)
    assert time.perf_counter() - began < 5
    assert "\n" not in str(caught.value)


def test_every_zoo_model_is_there() -> None:
    assert "zoo/clip" in zoo()
    for name in zoo():
        found = locate(name)
        assert found.folder.parent == ZOO
        assert (found.name, found.revision) == (name, "")


def test_dual_encoders_are_told_from_the_rest(tmp_path: Path) -> None:
    assert "zoo/clip" in zoo("dual encoder")
    assert set(zoo("dual encoder")) <= set(zoo())
    (tmp_path / "model_index.json").write_text("{}")
    assert is_pipeline(str(tmp_path))
    assert not any(map(is_pipeline, ["zoo/clip", "zoo/nothing", "nobody/nothing@main", "nothing", str(tmp_path / "nowhere")]))


def test_the_card_says_which_weights(clip) -> None:
    weights = (ZOO / "clip" / "model.safetensors").read_bytes()
    assert clip.card.sha256 == hashlib.sha256(weights).hexdigest()
    assert clip.card.licence != "unknown"


def test_a_folder_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "owner" / "name").mkdir(parents=True)
    (tmp_path / "owner" / "name" / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert locate("owner/name").folder == Path("owner/name")
    assert weights_hash(tmp_path) == ""
    with pytest.raises(ObvertError, match="unknown model type 'nothing'"):
        obvert.load("owner/name")


@pytest.mark.parametrize("name", ["zoo/clp", "zoo/", "zoo/../clip", "clip", "zoo/clip/"])
def test_near_misses_of_the_zoo_are_told(name: str) -> None:
    refused(name, "did you mean .*zoo/clip")


def test_what_is_no_model_folder_is_told(tmp_path: Path) -> None:
    refused(str(tmp_path / "nowhere"), "not there")
    refused("./nowhere", "not there")
    refused(str(tmp_path), "config.json")
    (tmp_path / "file").touch()
    refused(str(tmp_path / "file"), "a file")


@pytest.mark.parametrize("name", ["nobody/nothing@main", "nobody/nothing@0123abc", "nobody/nothing@"])
def test_offline_a_hub_id_leads_to_the_zoo(name: str) -> None:
    refused(name, "not in the local cache and the hub cannot be reached; .*zoo/clip")


def test_a_hub_id_without_revision_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="@REVISION"), pytest.raises(ObvertError, match="zoo/clip"):
        locate("nobody/nothing")


@pytest.mark.parametrize("name", ["-x/y@1", "a b/c@1", "owner/@1", "a/" + "x" * 200 + "@1", "o/n\0@1"])
def test_malformed_ids_are_told(name: str) -> None:
    refused(name, "hub id owner/name")


@pytest.mark.parametrize("name", ["a/b/c", "o/n@../../x", "x" * 300, ""])
def test_what_is_no_id_at_all_is_told(name: str) -> None:
    refused(name, "model")


def test_a_cached_model_is_found_offline_and_one_without_weights_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    commit = "0123456789abcdef0123456789abcdef01234567"
    folder = tmp_path / "models--owner--name" / "snapshots" / commit
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    refused(f"owner/name@{commit}", "not in the local cache")
    (folder / "model.safetensors").touch()
    found = locate(f"owner/name@{commit}")
    assert (found.folder.resolve(), found.revision) == (folder.resolve(), commit)
