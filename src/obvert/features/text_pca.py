"""Text-PCA (PCA<-): keep of every feature what lies in the span of the main directions of text features.

    x' = Q Q^T x,    Q = top eigenvectors of the covariance of the text features of a list of names

References:
    | Reevaluating the intra-modal misalignment hypothesis (Herzog and Wang, 2026)
    | https://arxiv.org/abs/2603.16100
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch

from obvert.core import FeatureMap, Fitted, ObvertError, Reference


@dataclass(frozen=True, kw_only=True)
class TextPCA(FeatureMap):
    """Projection on the principal directions of text."""

    components: int | None = None
    """How many directions to keep, 1 to d; d / 2 as published when None."""

    def candidates(self, reference: Reference) -> list[FeatureMap]:
        d = 0 if reference.names is None else reference.names.shape[1]
        sizes = dict.fromkeys(d * share // 16 for share in (1, 2, 3, 4, 6, 10, 12, 14, 16))
        return [self, *(TextPCA(components=keep) for keep in sizes if keep)]

    def fit(self, reference: Reference) -> Fitted:
        text = reference.names
        if text is None or len(text) < 2:
            raise ObvertError("text-pca needs text features of at least two names; give a list of names")
        d = text.shape[1]
        keep = d // 2 if self.components is None else self.components
        if not 1 <= keep <= d:
            raise ObvertError(f"text-pca needs 1 <= components <= {d}, got {keep}")
        _, directions = torch.linalg.eigh(torch.cov(text.double().T))
        q = directions[:, d - keep :]
        matrix = (q @ q.T).float()
        zero = torch.zeros(d)
        return Fitted(
            name="text-pca",
            settings=asdict(self),
            shift={"image": zero, "text": zero},
            matrix={"image": matrix, "text": matrix},
        )
