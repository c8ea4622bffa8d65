"""What a synthesiser says, as a parametrisation of sounds."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from obvert.core import Domain, ObvertError, Writer
from obvert.models import load_writer
from obvert.parametrisations.spoken import Spoken

SOUND = Domain(media="sound", shape=(1, 9000), bounds=(-1.0, 1.0), rate=16_000)


@pytest.fixture(scope="module")
def writer() -> Writer:
    return load_writer("zoo/speech-synthesiser", device="cpu")


def test_any_start_is_a_sound_of_the_length_asked_for(writer: Writer) -> None:
    spoken = Spoken(writer=writer, tokens=9)
    theta = spoken.start(SOUND, 2, 0)
    assert theta.shape[:2] == (2, 9)
    assert torch.equal(theta[0], theta[1])
    assert not torch.equal(theta, spoken.start(SOUND, 2, 1))
    theta[1] *= 0.5
    theta.requires_grad_()
    x = spoken(theta, SOUND)
    assert x.shape == (2, *SOUND.shape)
    assert 0.001 < x.std() < 1
    (gradient,) = torch.autograd.grad(x.square().sum(), theta)
    assert (gradient.abs().sum(-1) > 0).all()
    torch.testing.assert_close(spoken(theta[1:], SOUND)[0], x[1], rtol=0, atol=1e-5)


def test_of_the_letters_of_a_text_it_is_what_is_said(writer: Writer) -> None:
    text = "a red circle"
    said = writer.draw([text])
    samples = int((said[0, 0] != 0).nonzero().max()) + 1
    first = writer.words[0]
    ids = writer.tokens([text])[0, first : first + len(text)]
    assert writer.choices is not None
    theta = 50.0 * (ids[:, None] == writer.choices.nonzero()[:, 0])[None]
    found = Spoken(writer=writer)(theta, replace(SOUND, shape=(1, samples)))
    torch.testing.assert_close(found, said[..., :samples], rtol=0, atol=1e-5)


def test_who_cannot_be_told_how_long_is_refused(writer: Writer) -> None:
    for wrong in (replace(writer, speak=None), replace(writer, medium=replace(writer.medium, rate=22_050))):
        with pytest.raises(ObvertError, match="need a synthesiser at 16000 Hz that speaks as long as it is told"):
            Spoken(writer=wrong).start(SOUND, 1, 0)
    with pytest.raises(ObvertError, match=r"need sounds \(1, S\)"):
        Spoken(writer=writer).start(replace(SOUND, shape=(80, 300)), 1, 0)
    with pytest.raises(ValueError, match="tokens"):
        Spoken(writer=writer, tokens=0)
