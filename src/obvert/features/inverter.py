"""A learned inverter: OTI (or OVI) distilled into a small network, one matrix product instead of an optimisation.

Every search starts from the same draw, so what OTI makes of a feature f is a function of f alone; a network with one
hidden layer learns it from unlabelled pairs (f, text feature of the pseudo-tokens that OTI found for f):

    e(f) = normalise(A f + C gelu(B f + b)),    min mean 1 - cos(e(f), OTI(f)),    AdamW, cosine schedule

As with OTI, the queries are mapped and the gallery stays as it is.

References:
    | Zero-Shot Composed Image Retrieval with Textual Inversion (Baldrati et al., 2023), which distils to tokens
    | https://arxiv.org/abs/2303.15247
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from obvert.core import FeatureMap, Fitted, ObvertError, Reference


@dataclass(frozen=True, kw_only=True)
class Inverter(FeatureMap):
    """A network that does in one pass what a search does in many steps."""

    hidden: int = 1024
    """Width of the hidden layer."""
    steps: int = 3000
    """Steps of training."""
    batch: int = 512
    """Pairs in a step."""
    lr: float = 2e-3
    """Highest step size of AdamW."""
    noise: float = 0.02
    """Deviation of the noise on each number of an input, times 1 / sqrt(d): what is between the pairs is learned too."""
    seed: int = 0
    """Of the network and the order."""

    def fit(self, reference: Reference) -> Fitted:
        given = {"image": reference.image, "text": reference.text}
        pairs = {m: (f, reference.inverted[m]) for m, f in given.items() if f is not None and m in reference.inverted}
        if not pairs:
            raise ObvertError("inverter needs features and what a method made of them; train one with obvert inverter train")
        shift, matrix, hidden = {}, {}, {}
        for modality, (features, wanted) in pairs.items():
            if features.shape != wanted.shape or len(features) < 2:
                raise ObvertError(f"inverter needs two pairs or more, row by row, got {len(features)} and {len(wanted)} features")
            straight, into, out = self._train(features.float().cpu(), wanted.float().cpu())
            shift[modality] = torch.zeros(features.shape[1])
            matrix[modality] = straight.weight.detach()
            hidden[modality] = {"into": into.weight.detach(), "bias": into.bias.detach(), "out": out.weight.detach()}
        settings = asdict(self) | {"pairs": {m: len(f) for m, (f, _) in pairs.items()}}
        return Fitted(name="inverter", settings=settings, shift=shift, matrix=matrix, hidden=hidden, queries_only=True)

    def _train(self, features: Tensor, wanted: Tensor) -> tuple[nn.Linear, nn.Linear, nn.Linear]:
        d = features.shape[1]
        draw = torch.Generator().manual_seed(self.seed)
        straight, into, out = nn.Linear(d, d, bias=False), nn.Linear(d, self.hidden), nn.Linear(self.hidden, d, bias=False)
        with torch.no_grad():  # least squares is where the straight part starts, nothing where the bent part does
            straight.weight.copy_(torch.linalg.lstsq(features, wanted, driver="gelsd").solution.T)
            into.weight.copy_(torch.randn(into.weight.shape, generator=draw))
            into.bias.zero_()
            out.weight.zero_()
        optimiser = torch.optim.AdamW([straight.weight, into.weight, into.bias, out.weight], lr=self.lr, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, self.steps))
        for _ in range(self.steps):
            rows = torch.randint(len(features), (min(self.batch, len(features)),), generator=draw)
            x = features[rows] + self.noise * d**-0.5 * torch.randn(len(rows), d, generator=draw)
            loss = 1 - cosine_similarity(straight(x) + out(nn.functional.gelu(into(x))), wanted[rows], dim=1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        return straight, into, out
