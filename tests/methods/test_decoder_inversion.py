"""Decoder inversion on linear encoders and decoders whose composition has a known spectrum, and its contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import obvert
from obvert.core import Autoencoder, Status
from obvert.metrics import nmse_db, residual_db
from obvert.models import load_autoencoder
from obvert.registry import find
from obvert.solvers import Anderson, ForwardStep, GNSecant, Hybrid, InertialKM

SPECTRUM = torch.tensor([1.3, 1.1, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5])
"""Eigenvalues of E o D, which is Q diag(SPECTRUM) Q'."""
DRAW = torch.Generator().manual_seed(0)
TURN = torch.linalg.qr(torch.randn(8, 8, generator=DRAW))[0]
SPREAD = 0.05 * torch.linalg.qr(torch.randn(48, 8, generator=DRAW))[0]
TRUE = torch.randn(3, 2, 2, 2, generator=DRAW)
NAMES = ["decoder-inversion", "gradient-decoder-inversion"]


def decode(z: Tensor) -> Tensor:
    return 0.5 + (z.flatten(1) @ SPREAD.T).view(-1, 3, 4, 4)


def encoder(spectrum: Tensor = SPECTRUM) -> Any:
    back = TURN @ torch.diag(spectrum) @ TURN.T @ (SPREAD.T / 0.05**2)
    return lambda x: ((x - 0.5).flatten(1) @ back.T).view(-1, 2, 2, 2)


def toy(spectrum: Tensor = SPECTRUM, **settings: Any) -> Autoencoder:
    return Autoencoder.from_functions(encoder(spectrum), decode, **settings)


PICTURES = decode(TRUE)


def test_anderson_finds_the_latents_in_few_steps_and_the_plain_iterations_need_more() -> None:
    wide = toy(torch.tensor([1.3, 1.1, 1.0, 0.9, 0.7, 0.5, 0.3, 0.15]))

    def off(solver: Any, steps: int) -> Tensor:
        return nmse_db(obvert.DecoderInversion(solver=solver, max_steps=steps, stop=None)(wide, PICTURES).x, TRUE)

    assert (off(Anderson(ridge=1e-8, memory=8), 10) < -70).all()
    assert (off(ForwardStep(step_size=1.0), 10) > -50).all()
    assert (off(InertialKM(), 10) > -25).all()


def test_the_forward_step_falls_as_the_spectrum_says() -> None:
    gap = toy(torch.tensor([1.1, 1.0, 1.0, 1.0, 0.9, 0.9, 0.9, 0.4]))
    found = obvert.DecoderInversion(solver=ForwardStep(step_size=1.0), max_steps=9, stop=None, snapshots=(4, 9))(gap, PICTURES)
    fall = nmse_db(found.solution.snapshots[4], TRUE) - nmse_db(found.solution.snapshots[9], TRUE)
    torch.testing.assert_close(fall / 5, torch.full((3,), -20.0).double() * torch.tensor(0.6).log10(), rtol=0.01, atol=0)


def test_past_the_bound_a_guard_keeps_what_was_reached() -> None:
    steep = toy(SPECTRUM * 2.5)
    wild = obvert.DecoderInversion(solver=ForwardStep(step_size=1.0), max_steps=20, stop=None, guard=None)
    held = obvert.DecoderInversion(solver=ForwardStep(step_size=1.0), max_steps=20, stop=None, guard=1.0)
    with pytest.warns(UserWarning, match="residual grew from the first step on.*smaller step_size of ForwardStep, or gradients"):
        assert (wild(steep, PICTURES).error > 1e-2).all()
    found = held(steep, PICTURES)
    assert (found.error < found.trace[0]).all()


@pytest.mark.filterwarnings("default:the residual grew:UserWarning")
@pytest.mark.parametrize("scale", [-1.0, 2.5, 20.0])
def test_the_default_is_never_worse_than_the_encoder_alone(scale: float) -> None:
    against = toy(SPECTRUM * scale)
    found = obvert.DecoderInversion()(against, PICTURES)
    assert (found.error <= found.trace[0]).all()


@pytest.mark.parametrize("solver", [Anderson(), InertialKM()])
def test_a_perfect_pair_at_the_floor_of_rounding_is_no_mismatch(solver: Any, recwarn: pytest.WarningsRecorder) -> None:
    exact = toy(torch.ones(8))
    obvert.DecoderInversion(solver=solver, max_steps=20)(exact, (PICTURES * 255).round() / 255)
    assert not len(recwarn)


@pytest.mark.parametrize("solver", [GNSecant(ridge=1e-10), Hybrid(then=GNSecant(memory=8, ridge=1e-10))])
def test_solvers_that_take_gradients_finish_where_the_encoder_is_useless(solver: Any) -> None:
    poor = toy(torch.tensor([1.3, 1.1, 1.0, 0.9, 0.8, 0.7, 0.01, 0.001]))
    found = obvert.DecoderInversion(solver=solver, max_steps=25)(poor, PICTURES)
    assert (nmse_db(found.x, TRUE) < -50).all()
    by_encoder = obvert.DecoderInversion(max_steps=4, stop=None)(poor, PICTURES)
    assert (nmse_db(by_encoder.x, TRUE) > -15).all()


def test_pictures_of_8_bits_are_searched_down_to_their_rounding() -> None:
    rounded = (PICTURES * 255).round() / 255
    found = obvert.DecoderInversion()(toy(), rounded)
    assert (found.status == Status.STOPPED).all()
    assert (residual_db(found.features, rounded) < -57.5).all()  # the floor is -58.9 dB, less what 8 of 48 numbers fit
    mixed = obvert.DecoderInversion()(toy(), torch.cat((PICTURES[:1], rounded[1:])))
    torch.testing.assert_close(mixed.x[1:], found.x[1:], rtol=1e-4, atol=1e-5)


def test_what_the_target_clipped_is_not_held_against_the_decoder() -> None:
    loud = TRUE * 60
    clipped = toy().decode(loud)
    assert (clipped == 0).any()
    assert (clipped == 1).any()
    field = obvert.DecoderInversion(max_steps=0)
    start = Autoencoder.from_functions(lambda x: loud[: len(x)], decode)
    assert (field(start, clipped).error < 1e-12).all()


@pytest.mark.parametrize("name", NAMES)
class TestContract:
    def test_the_error_falls_and_is_that_of_what_is_decoded(self, name: str) -> None:
        found = find("methods", name)(max_steps=20)(toy(), PICTURES, seed=5)
        assert (found.error < 0.1 * found.trace[0]).all()
        torch.testing.assert_close(found.features, toy().decode(found.x))
        torch.testing.assert_close(10 * found.error.double().log10(), residual_db(found.features, PICTURES), rtol=1e-3, atol=1e-3)
        assert (found.seed, found.method) == (5, name)

    def test_a_batch_equals_its_samples(self, name: str) -> None:
        method = find("methods", name)(max_steps=6, batch=2)
        together = method(toy(), PICTURES)
        for i in range(3):
            torch.testing.assert_close(method(toy(), PICTURES[i : i + 1]).x[0], together.x[i], rtol=1e-4, atol=1e-5)
        assert torch.equal(method(toy(), list(PICTURES)).x, together.x)

    @pytest.mark.parametrize("precision", ["bf16", "fp16"])
    def test_sixteen_bits_come_near(self, name: str, precision: str) -> None:
        full = find("methods", name)(max_steps=8)(toy(), PICTURES)
        half = find("methods", name)(max_steps=8, precision=precision)(toy(), PICTURES)
        assert half.x.dtype == torch.float32
        assert (nmse_db(half.x, full.x) < -15).all()

    def test_odd_sizes_are_padded_and_cropped_back(self, name: str) -> None:
        model = toy(multiple=(4, 4))
        with pytest.warns(UserWarning, match="padded to 4 x 4"):
            found = find("methods", name)(max_steps=2)(model, PICTURES[:, :, :3, :4])
        assert found.features.shape == (3, 3, 3, 4)
        assert found.x.shape == (3, 2, 2, 2)

    def test_padding_counts_for_nothing(self, name: str) -> None:
        pictures = PICTURES[:, :, :3, :4]
        with pytest.warns(UserWarning, match="padded"):
            found = find("methods", name)(max_steps=3)(toy(multiple=(4, 4)), pictures)
        torch.testing.assert_close(10 * found.error.double().log10(), residual_db(found.features, pictures), rtol=1e-3, atol=1e-3)

    def test_out_of_memory_halves_the_batch_and_says_so(self, name: str) -> None:
        def small(z: Tensor) -> Tensor:
            if len(z) > 1:
                raise torch.OutOfMemoryError("too much")
            return decode(z)

        scarce = Autoencoder.from_functions(encoder(), small)
        with pytest.warns(UserWarning, match="going on with 1 pictures at once"):
            found = find("methods", name)(max_steps=3, batch=2)(scarce, PICTURES)
        torch.testing.assert_close(found.x, find("methods", name)(max_steps=3)(toy(), PICTURES).x, rtol=1e-4, atol=1e-5)

    def test_too_little_memory_for_one_is_one_line(self, name: str) -> None:
        def none(z: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("too much")

        with pytest.raises(obvert.ObvertError, match="out of memory even with one of the pictures; try precision"):
            find("methods", name)(max_steps=1, batch=1)(Autoencoder.from_functions(encoder(), none), PICTURES)

    def test_numbers_that_break_end_with_a_status(self, name: str) -> None:
        broken = Autoencoder.from_functions(encoder(), lambda z: decode(z) * torch.where(z[:, :1, :1, :1] > 0, 1.0, torch.nan))
        some = TRUE.clone()
        some[:, 0, 0, 0] = torch.tensor([1.0, -1.0, 1.0])
        with torch.no_grad():
            found = find("methods", name)(max_steps=3)(broken, decode(some))
        assert (found.status == Status.NON_FINITE).tolist() == [False, True, False]
        assert found.x.isfinite().all()

    def test_saved_and_opened_it_is_the_same(self, name: str, tmp_path: Path) -> None:
        found = find("methods", name)(max_steps=3, snapshots=(1,))(toy(), PICTURES)
        again = obvert.open(obvert.save(found, tmp_path / "run"))
        assert torch.equal(again.x, found.x)
        assert torch.equal(again.features, found.features)
        assert again.settings == found.settings
        assert torch.equal(again.solution.snapshots[1], found.solution.snapshots[1])

    @pytest.mark.parametrize(
        ("pictures", "message"),
        [
            ([], "need media of one shape in a batch, got none"),
            ([torch.zeros(3, 4, 4), torch.zeros(3, 4, 8)], r"one shape in a batch, got \(3, 4, 4\), \(3, 4, 8\)"),
            (torch.zeros(2, 3, 4), "need pictures as 4 axes"),
            (torch.full((1, 3, 4, 4), 2.0), r"within \(0.0, 1.0\), got 2 to 2"),
            (torch.full((1, 3, 4, 4), torch.nan), "within"),
        ],
    )
    def test_bad_targets_are_refused(self, name: str, pictures: Any, message: str) -> None:
        with pytest.raises(obvert.ObvertError, match=message):
            find("methods", name)(max_steps=1)(toy(), pictures)


@pytest.mark.parametrize("settings", [{"chunk": 2}, {"checkpointing": True}])
def test_the_baseline_saves_memory_without_another_result(settings: dict[str, Any]) -> None:
    plain = obvert.GradientDecoderInversion(max_steps=10)(toy(), PICTURES)
    saving = obvert.GradientDecoderInversion(max_steps=10, **settings)(toy(), PICTURES)
    torch.testing.assert_close(saving.x, plain.x, rtol=1e-5, atol=1e-6)


def test_checkpointing_really_runs_every_block_again() -> None:
    vae = load_autoencoder("zoo/vae", device="cpu")
    blocks = vae.blocks()
    assert len(blocks) >= 8
    inside = [list(block.modules())[1:] for block in blocks if list(block.children())]  # a block's own hooks see one pass
    leaves = [next(part for part in parts if not list(part.children())) for parts in inside]
    calls = dict.fromkeys(leaves, 0)

    def count(module: torch.nn.Module, given: Any) -> None:
        calls[module] += 1

    hooks = [leaf.register_forward_pre_hook(count) for leaf in calls]
    pictures = vae.decode(torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3)))
    found = {}
    for checkpointing in (False, True):
        calls.update(dict.fromkeys(calls, 0))
        found[checkpointing] = obvert.GradientDecoderInversion(max_steps=1, checkpointing=checkpointing)(vae, pictures).x
        # a picture, two points of which gradients are taken, and what is seen at the end
        assert set(calls.values()) == ({5} if checkpointing else {3})
    for hook in hooks:
        hook.remove()
    assert not any("forward" in vars(block) for block in blocks)
    torch.testing.assert_close(found[True], found[False], rtol=1e-4, atol=1e-5)


def test_the_baseline_is_pytorchs_adam() -> None:
    z = encoder()(PICTURES).requires_grad_()
    optimiser = torch.optim.Adam([z], lr=0.05)
    for _ in range(15):
        optimiser.zero_grad()
        (decode(z) - PICTURES).square().sum().backward()
        optimiser.step()
    found = obvert.GradientDecoderInversion(lr=0.05, schedule="fixed", max_steps=15)(toy(), PICTURES)
    torch.testing.assert_close(found.x, z.detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: obvert.DecoderInversion(precision="fp8"), "precision in fp32, fp16, bf16"),  # type: ignore[arg-type]
        (lambda: obvert.DecoderInversion(stop="never"), "'auto' or None"),  # type: ignore[arg-type]
        (lambda: obvert.GradientDecoderInversion(schedule="linear"), "'cosine' or 'fixed'"),  # type: ignore[arg-type]
        (lambda: obvert.GradientDecoderInversion(batch=0), "batch >= 1"),
    ],
)
def test_settings_out_of_range_are_named(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("times", [4.0, 8.0, 30.0])
def test_a_decoder_that_is_too_loud_is_still_undone_and_refusals_from_first_to_last_are_told(times: float) -> None:
    wide = {"bounds": (-1e3, 1e3)}
    loud = Autoencoder.from_functions(lambda x: x, lambda z: times * z, **wide)  # type: ignore[arg-type]
    found = obvert.DecoderInversion()(loud, PICTURES)
    assert (found.error < found.trace[0]).all()
    against = Autoencoder.from_functions(lambda x: -times * x, lambda z: times * z, **wide)  # type: ignore[arg-type]
    with pytest.warns(UserWarning, match="the residual grew from the first step on"):
        obvert.DecoderInversion(max_steps=3)(against, PICTURES)


def test_pairs_that_do_not_fit_are_told_in_a_line() -> None:
    half = Autoencoder.from_functions(encoder(), lambda z: decode(z)[..., ::2])
    for method in (obvert.DecoderInversion(), obvert.GradientDecoderInversion()):
        with pytest.raises(obvert.ObvertError, match="need an encoder and a decoder that belong together, got media of shape"):
            method(half, PICTURES)
    cut = Autoencoder.from_functions(encoder(), lambda z: decode(z).detach())
    with pytest.raises(obvert.ObvertError, match="need a decoder that passes gradients, got functions"):
        obvert.GradientDecoderInversion()(cut, PICTURES)
    with pytest.raises(obvert.ObvertError, match="need media of picture, video, sound, got 'image'"):
        Autoencoder.from_functions(encoder(), decode, media="image")  # type: ignore[arg-type]
    for multiple in ((0,), 8):
        with pytest.raises(obvert.ObvertError, match="need multiple as a tuple"):
            Autoencoder.from_functions(encoder(), decode, multiple=multiple)  # type: ignore[arg-type]
