"""The benchmark on a model whose inverses are known: exact, useless, interrupted; and what it says of each."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from obvert.core import Autoencoder, Card, Diffusion, ObvertError, Schedule
from obvert.report.write import to_html, to_json
from obvert.store import Run
from obvert.tasks._watermark_report import mask_bug, report
from obvert.tasks.watermark import Tools, bench, measure
from obvert.watermarks.gaussian_shading import GaussianShading
from obvert.watermarks.tree_ring import TreeRing

SHAPE, LIMIT = (3, 16, 16), 8.0
CAPTIONS = [f"a number {i}" for i in range(10)]


def no_schedule(steps: int) -> Schedule:
    raise AssertionError("the toy draws without a walk")


@pytest.fixture
def model() -> Diffusion:
    """Latents are the noise and pictures the latents, moved into [0, 1]."""
    return Diffusion(
        card=Card(name="toy", family="toy"),
        device=torch.device("cpu"),
        dtype=torch.float32,
        autoencoder=Autoencoder.from_functions(lambda x: 2 * LIMIT * (x - 0.5), lambda z: z / (2 * LIMIT) + 0.5),
        shape=SHAPE,
        prediction="epsilon",
        embed=lambda captions: None,
        predict=lambda z, t, said: z,
        schedule=no_schedule,
    )


def tools(model: Diffusion) -> Tools:
    return Tools(
        draw=lambda captions, noise: model.autoencoder.decode(noise),
        inversions={
            "exact": model.autoencoder.encode,
            "useless": lambda x: torch.randn(x.shape, generator=torch.Generator().manual_seed(int(x.sum() * 1e4))),
        },
        back=lambda latents: latents,
    )


@pytest.mark.parametrize("watermark", [TreeRing(), TreeRing(pattern="random"), GaussianShading()], ids=str)
def test_an_exact_inverse_finds_all_and_a_useless_one_nothing(model: Diffusion, watermark: TreeRing) -> None:
    found = bench(model, watermark, CAPTIONS * 2, tools(model), attacks=("none", "rotation"), keys=(5, 6, 9))
    rows = {(row["attack"], row["inversion"]): row for row in found.rows}
    assert list(rows) == [(a, i) for a in ("none", "rotation") for i in ("exact", "useless")]
    exact, useless = rows["none", "exact"], rows["none", "useless"]
    assert exact["pictures"] == exact["keys_right"] == 60
    assert exact["auc"] == exact["tpr_at_1_percent"] == exact["accuracy"] == 1
    assert exact["key_accuracy_interval"][0] == pytest.approx(0.94, abs=0.01)  # Wilson's, of 60 of 60
    assert exact["noise_db"] < -30
    assert exact["memory_mib"] > 0
    assert exact["seconds"] > 0
    assert useless["noise_db"] > 0
    assert useless["auc"] < 0.7
    assert useless["keys_right"] < 40
    assert exact["false_alarms"] < 0.1
    assert rows["rotation", "exact"]["keys_right"] < 60
    assert len(found.p_values["none", "exact"][0]) == len(found.p_values["none", "exact"][1]) == 60
    caption, pictures = found.examples[0]
    assert caption == CAPTIONS[0]
    assert len(pictures) == 4


def test_a_batch_equals_its_samples_and_an_interrupted_run_goes_on(model: Diffusion, tmp_path) -> None:
    whole = bench(model, TreeRing(), CAPTIONS, tools(model), attacks=("noise",), keys=(1, 2), batch=10)
    asked: list[int] = []

    def fails_at(last: int) -> Tools:
        def exact(pictures: Tensor) -> Tensor:
            if len(asked) == last:
                raise KeyboardInterrupt
            asked.append(len(pictures))
            return model.autoencoder.encode(pictures)

        return Tools(draw=tools(model).draw, inversions={"exact": exact}, back=lambda latents: latents)

    settings = {"what": "test"}
    with pytest.raises(KeyboardInterrupt), Run(tmp_path / "out", settings) as run:
        bench(model, TreeRing(), CAPTIONS, fails_at(4), attacks=("noise",), keys=(1, 2), batch=4, run=run)
    with Run(tmp_path / "out", settings) as run:
        parts = bench(model, TreeRing(), CAPTIONS, fails_at(99), attacks=("noise",), keys=(1, 2), batch=4, run=run)
    assert asked == [4, 4, 2] * 3 + [1]  # the last for its memory
    for one, other in zip(whole.p_values["noise", "exact"], parts.p_values["noise", "exact"], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-12)
    assert whole.rows[0]["keys_right"] == parts.rows[0]["keys_right"]


def test_what_is_no_number_is_not_found() -> None:
    row = measure(torch.tensor([[0.0], [torch.nan]]), torch.tensor([[0.5], [0.005]]), 1, 2)
    assert row["auc"] == pytest.approx(0.5)
    assert row["false_alarms"] == 0.5
    assert row["key_accuracy"] == 0.5


def test_the_released_mask_as_rows_and_the_page(model: Diffusion) -> None:
    bug = mask_bug()
    counts = {(row["mask"], row["rule"], row["recovery_db"]): row["keys_right"] for row in bug}
    assert counts["published", "nearest", None] == 200
    assert counts["centred", "nearest", None] == counts["published", "smallest p", None] == 300
    assert counts["centred", "nearest", -3.0] >= 299
    found = bench(model, TreeRing(), CAPTIONS[:3], tools(model))
    page = report(model, TreeRing(), found, bug, title="Watermarks")
    assert "keys told" in page.lead
    assert "The released mask of tree rings" in to_html(page)
    assert '"nearest"' in to_json(page)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"keys": ()}, "at least one key"),
        ({"keys": (1, 1)}, "none twice"),
        ({"captions": []}, "at least one caption"),
        ({"attacks": ("jpg",)}, "did you mean jpeg"),
        ({"watermark": TreeRing(radius=9)}, "radius of 1 to 7"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_drawn(model: Diffusion, wrong: dict, told: str) -> None:
    def draw(captions: object, noise: Tensor) -> Tensor:
        raise AssertionError

    given = {"watermark": TreeRing(), "captions": CAPTIONS, **wrong}
    with pytest.raises(ObvertError, match=told):
        bench(model, tools=Tools(draw=draw, inversions=tools(model).inversions, back=lambda z: z), **given)
