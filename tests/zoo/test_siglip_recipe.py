"""The recipe of the small SigLIP: its loss by hand, padding that is seen, a folder that loads."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

import obvert
from obvert.zoo import exam
from obvert.zoo.siglip import SiglipRecipe, build, encode, sigmoid_loss
from obvert.zoo.words import POSITIONS, tokenizer


def test_the_loss_by_hand() -> None:
    torch.manual_seed(0)
    model = build().eval()
    pictures = torch.rand(3, 3, 64, 64) * 2 - 1
    ids = encode(tokenizer(), ["a red ring", "a blue star", "a moon"])
    assert ids.shape == (3, POSITIONS)
    with torch.no_grad():
        image = normalize(model.get_image_features(pixel_values=pictures).pooler_output, dim=1)
        text = normalize(model.get_text_features(input_ids=ids).pooler_output, dim=1)
        wanted = 0.0
        for i in range(3):
            for j in range(3):
                logit = 10 * (image[i] @ text[j]).item() - 10
                wanted -= torch.tensor(logit if i == j else -logit).sigmoid().log().item() / 3
        assert sigmoid_loss(model, pictures, ids).item() == pytest.approx(wanted, rel=1e-4)


def test_two_steps_are_reproducible_and_what_is_written_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exam, "examine", partial(exam.examine, count=32, rounds=1))
    recipe = SiglipRecipe(steps=2, batch=8, pool=16)
    one, minutes = recipe.train(tmp_path / "one")
    other, _ = recipe.train(tmp_path / "other")
    weights = other.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in one.state_dict().items())
    (tmp_path / "model").mkdir()
    card = recipe.export(one, tmp_path / "model", minutes)
    assert card["recipe"] == {"steps": 2, "batch": 8, "lr": 2e-3, "pool": 16, "seed": 0}
    loaded = obvert.load(str(tmp_path / "model"), device="cpu")
    ids = encode(tokenizer(), ["a small red ring"])
    with torch.no_grad():
        slow = normalize(one.get_text_features(input_ids=ids).pooler_output, dim=1)
    torch.testing.assert_close(loaded.text_features(["a small red ring"]), slow, rtol=0, atol=2e-3)  # half precision
    found = obvert.OTI(steps=2)(loaded, loaded.image_features([torch.rand(3, 64, 64)]))
    assert found.features.shape == (1, 128)
    assert not any(parameter.isnan().any() for parameter in loaded.parameters().values())
