"""The order in which training reads a data set: endless, shuffled, and resumable at any step."""

from collections.abc import Iterator

import torch
from torch.utils.data import Sampler


class StreamSampler(Sampler[list[int]]):
    """Batches of indices for steps `first_step` to `steps` of one of `world` processes.

    An index is `epoch * size + place`, each epoch in its own order: a data set that derives its
    randomness from the index gives new augmentation every epoch, and the same again on resuming.
    """

    def __init__(
        self,
        size: int,
        batch: int,
        steps: int,
        *,
        seed: int = 0,
        first_step: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._size, self._batch, self._seed = size, batch, seed
        self._steps, self._first_step = steps, first_step
        self._rank, self._world = rank, world

    def __len__(self) -> int:
        return self._steps - self._first_step

    def __iter__(self) -> Iterator[list[int]]:
        epoch, order = -1, [0]
        for step in range(self._first_step, self._steps):
            first = (step * self._world + self._rank) * self._batch
            indices = []
            for position in range(first, first + self._batch):
                if position // self._size != epoch:
                    epoch = position // self._size
                    order = self._shuffled(epoch)
                indices.append(epoch * self._size + order[position % self._size])
            yield indices

    def _shuffled(self, epoch: int) -> list[int]:
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + epoch)
        return torch.randperm(self._size, generator=generator).tolist()
