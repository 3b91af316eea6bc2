"""The training step as a CUDA graph: recorded once, then replayed without Python between its kernels.

Whole-network capture as torch's notes on CUDA describe it (section "CUDA Graphs"): the same memory every
time, so batches are copied into fixed tensors and learning rates live on the device; warm-up on a side
stream, which here is the first few real steps. torch registers its generator, so dropout differs between
replays.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

WARM_UP = 3

Step = Callable[[Tensor, Tensor], Tensor]
"""Images and labels to loss, detached; forward, backward and update inside."""


def graphed(step: Step, model: nn.Module, optimizer: torch.optim.Optimizer, device: str) -> Step:
    """The step as a graph on a CUDA device; elsewhere the step as it is.

    Every batch must have the shape of the first. What a replay returns is overwritten by the next.
    """
    if not device.startswith("cuda"):
        return step
    make_capturable(optimizer, device)
    return GraphedStep(step, model, optimizer)


def make_capturable(optimizer: torch.optim.Optimizer, device: str) -> None:
    """Keep what changes between steps, rates and step counts, in tensors on the device; before the first step."""
    # the warm-up is the uncaptured run that torch would warn of
    optimizer._warned_capturable_if_run_uncaptured = True
    for group in optimizer.param_groups:
        group["capturable"] = True
        group["lr"] = torch.tensor(float(group["lr"]), device=device)


def set_rate(group: dict[str, Any], rate: float) -> None:
    """Change a group's learning rate, in place where a graph reads it."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


class GraphedStep:
    """Calls a step ``WARM_UP`` times, records it, and replays the record from then on.

    If it cannot be recorded, a warning says why, and the step goes on as it is.
    """

    def __init__(self, step: Step, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self.step, self.model, self.optimizer = step, model, optimizer
        self.calls = 0
        self.side: torch.cuda.Stream | None = None
        self.replay: Step | None = None

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        """One step on this batch; returns the loss, to be read before the next call."""
        self.calls += 1
        if self.calls <= WARM_UP:
            return self._warm_up(images, labels)
        if self.replay is None:
            self.replay = self._captured(images, labels)
        return self.replay(images, labels)

    def forget(self) -> None:
        """Record anew: what the record reads lies elsewhere now."""
        self.calls, self.replay = 0, None

    def _warm_up(self, images: Tensor, labels: Tensor) -> Tensor:
        """A step on a side stream, in order with the current one before and after."""
        self.side = self.side or torch.cuda.Stream(images.device)  # type: ignore[no-untyped-call]
        current = torch.cuda.current_stream(images.device)
        self.side.wait_stream(current)
        with torch.cuda.stream(self.side):
            loss = self.step(images, labels)
        current.wait_stream(self.side)
        return loss

    def _captured(self, images: Tensor, labels: Tensor) -> Step:
        self.model.zero_grad(set_to_none=True)  # so that gradients are made anew in the graph's own memory
        self.optimizer.zero_grad(set_to_none=True)
        try:
            return capture(self.step, images, labels)
        except Exception as error:  # what cannot be captured can still be trained
            why = f"{type(error).__name__}: {error}"
            warnings.warn(f"no CUDA graph, every step runs as it is: {why}", RuntimeWarning, stacklevel=3)
            return self.step


def capture(step: Step, images: Tensor, labels: Tensor) -> Step:
    """Record a step without running it; what is returned runs it on the batch it is given."""
    graph = torch.cuda.CUDAGraph()
    fixed_images, fixed_labels = images.clone(), labels.clone()
    # the outer context puts the stream back even where the inner one fails to
    with torch.cuda.stream(torch.cuda.current_stream(images.device)), torch.cuda.graph(graph):
        loss = step(fixed_images, fixed_labels)

    def replay(images: Tensor, labels: Tensor) -> Tensor:
        fixed_images.copy_(images)
        fixed_labels.copy_(labels)
        graph.replay()
        return loss

    return replay
