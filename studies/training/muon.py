"""Muon: orthogonalised momentum for matrices, AdamW for everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

MOMENTUM = 0.95
UPDATE_RMS = 0.5
"""Root mean square of an update at rate 1; the cited paper has 0.2, this suits the notebook's net."""
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5


class Muon(torch.optim.Optimizer):
    """Every matrix moves by its momentum turned into the nearest orthogonal matrix (Jordan et al. 2024, "Muon").

    Updates are as large whatever the shape (Liu et al., arXiv 2502.16982, section 2.2), so that both parts share
    a learning rate and a weight decay. A matrix of three squares, the fused layer of queries, keys and values,
    is turned as three. ``torch.optim.Muon`` goes matrix by matrix and takes no other parameters; small models
    spend more time in its loop than in their own step, so here all are turned in one batch, in float32.

    Args:
        params: groups as torch's optimizers take them; ``stacked`` in one counts the leading axes, 0 or 1, that
            hold several models' matrices.
        lr: learning rate.
        betas: of AdamW; the momentum of matrices is ``MOMENTUM``.
        weight_decay: decoupled.
        fused: for the AdamW part.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.95),
        weight_decay: float = 0.0,
        fused: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "stacked": 0})
        rest = [{**g, "params": [p for p in g["params"] if p.ndim != 2 + g["stacked"]]} for g in self.param_groups]
        self._adamw = torch.optim.AdamW(rest, fused=fused)
        self._adamw.state = self.state

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update.

        Raises:
            ValueError: a closure is given; it would be called once, which is what the caller can do.
        """
        if closure is not None:
            raise ValueError("Muon takes no closure: compute the loss before the step")
        for group, rest in zip(self.param_groups, self._adamw.param_groups, strict=True):
            rest |= {"lr": group["lr"], "capturable": group.get("capturable", False)}
            self._turn([p for p in group["params"] if p.ndim == 2 + group["stacked"] and p.grad is not None], group)
        self._adamw.step()
        return None

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Both parts keep their state in one place."""
        super().load_state_dict(state_dict)
        self._adamw.state = self.state

    def _turn(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        if not parameters:
            return
        rate = group["lr"]
        averages = [self.state[p].setdefault("momentum", torch.zeros_like(p)) for p in parameters]
        gradients = [p.grad for p in parameters if p.grad is not None]
        torch._foreach_lerp_(averages, gradients, 1 - MOMENTUM)
        updates = _matrices(torch._foreach_lerp(gradients, averages, MOMENTUM), group["stacked"])  # Nesterov's
        torch._foreach_mul_(parameters, 1 - rate * group["weight_decay"])
        for matrix, update in zip(_matrices(parameters, group["stacked"]), orthogonalized(updates), strict=True):
            matrix.sub_(update * (rate * UPDATE_RMS * max(matrix.shape) ** 0.5))


def _matrices(tensors: Iterable[Tensor], stacked: int) -> list[Tensor]:
    """Of every model by itself, a matrix of three squares in three parts; views, so that writing reaches the tensor."""
    single = (matrix for tensor in tensors for matrix in (tensor.unbind() if stacked else (tensor,)))
    return [part for matrix in single for part in matrix.chunk(3 if matrix.shape[0] == 3 * matrix.shape[1] else 1)]


def orthogonalized(matrices: Sequence[Tensor]) -> list[Tensor]:
    """Nearly ``U V^T`` of each matrix ``U S V^T`` of any shapes: singular values between about 0.7 and 1.2.

    Five Newton-Schulz steps, on a batch of all matrices lying on their longer side, padded with zeros,
    which stay zero.
    """
    wide = [matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T for matrix in matrices]
    rows, columns = (max(matrix.shape[axis] for matrix in wide) for axis in (0, 1))
    x = torch.stack([F.pad(m, (0, columns - m.shape[1], 0, rows - m.shape[0])) for m in wide])
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = NEWTON_SCHULZ
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    turned = [padded[: m.shape[0], : m.shape[1]] for padded, m in zip(x, wide, strict=True)]
    return [t if t.shape == m.shape else t.T for t, m in zip(turned, matrices, strict=True)]
