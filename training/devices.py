"""One CPU, one GPU or several processes under torchrun: the same code calls these few steps.

Plain torch.distributed, without DistributedDataParallel: distillation calls a student's `backbone`
and `head` apart and takes gradients of single terms, which its forward hook does not see. Summing
the gradients once a step is right for every way of calling the student, and the models are small.
"""

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import distributed, nn

from training.config import HardwareConfig


@dataclass(frozen=True)
class Runtime:
    """Where this process computes, and which of how many it is."""

    device: torch.device
    precision: str
    rank: int = 0
    world: int = 1

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def autocast(self) -> AbstractContextManager[object]:
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def share_weights(self, model: nn.Module) -> None:
        """Give every process the first one's weights."""
        if self.world > 1:
            for value in model.state_dict().values():
                distributed.broadcast(value, 0)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its mean over all processes."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        if self.world == 1 or not gradients:
            return
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.world
        sizes = [gradient.numel() for gradient in gradients]
        for gradient, part in zip(gradients, torch.split(flat, sizes), strict=True):
            gradient.copy_(part.view_as(gradient))

    def largest(self, value: float) -> float:
        """The largest of all processes' values, so that all take the same decision."""
        if self.world == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64, device=self.device)
        distributed.all_reduce(shared, distributed.ReduceOp.MAX)
        return float(shared)


def start(hardware: HardwareConfig) -> Runtime:
    """Take this process's device; under torchrun, join the others."""
    if hardware.threads > 0:
        torch.set_num_threads(hardware.threads)
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    name = hardware.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    if world > 1:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Runtime(device, hardware.precision, rank, world)


def stop(runtime: Runtime) -> None:
    if runtime.world > 1:
        distributed.destroy_process_group()


def limit_worker_threads(worker: int) -> None:
    """For a loader process: one thread for each library, or they fight the training process."""
    import cv2
    import numba

    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    numba.set_num_threads(1)
