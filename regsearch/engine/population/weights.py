"""Where the weights of a population stand: one matrix, a member a row, of which every layer takes its columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Self

import numpy as np
from keras import ops
from numpy.typing import NDArray


@dataclass(frozen=True)
class Piece:
    """One layer's columns of the matrix.

    Attributes:
        shape: of one member's.
        start: their values at the start of a seed.
        penalised: whether the penalty is over them.
    """

    shape: tuple[int, ...]
    start: Callable[[int], NDArray[np.float32]]
    penalised: bool = False

    @classmethod
    def constant(cls, shape: tuple[int, ...], value: float) -> Self:
        """A piece that starts at one value."""
        return cls(shape, lambda _: np.full(shape, value, np.float32))


@dataclass
class Layout:
    """The pieces of a matrix, in the order of its columns."""

    pieces: list[Piece] = field(default_factory=list)

    def add(self, piece: Piece) -> int:
        """Adds a piece; gives its number."""
        self.pieces.append(piece)
        return len(self.pieces) - 1

    @property
    def sizes(self) -> list[int]:
        """The number of columns of each piece."""
        return [prod(piece.shape) for piece in self.pieces]

    @property
    def penalised(self) -> NDArray[np.float32]:
        """1 for each column that the penalty is over, else 0, (1, columns)."""
        shares = [np.full(prod(piece.shape), piece.penalised, np.float32) for piece in self.pieces]
        return np.concatenate([np.zeros(0, np.float32), *shares])[None]

    def start(self, seeds: Sequence[int], each: int) -> NDArray[np.float32]:
        """The matrix at the start: `each` members for every seed, (seeds·each, columns)."""
        rows = [
            np.concatenate([np.zeros(0), *(piece.start(seed).reshape(-1) for piece in self.pieces)]) for seed in seeds
        ]
        return np.repeat(np.stack(rows).astype(np.float32), each, axis=0)

    def split(self, matrix: Any) -> list[Any]:
        """Each piece of a matrix, (members, …)."""
        if not self.pieces:
            return []
        ends = np.cumsum(self.sizes)[:-1].tolist()
        columns = ops.split(matrix, ends, axis=1) if ends else [matrix]
        return [ops.reshape(part, (-1, *piece.shape)) for part, piece in zip(columns, self.pieces, strict=True)]

    def join(self, parts: Sequence[Any]) -> Any:
        """The matrix of such pieces."""
        return ops.concatenate([ops.reshape(part, (part.shape[0], -1)) for part in parts], axis=1)


def sum_rows(matrix: Any) -> Any:
    """Sums of (members, n) over n, mostly as a product with ones: XLA adds up a plain sum one by one."""
    members, n = matrix.shape
    rows = -(-n // 64)
    squares = ops.reshape(ops.pad(matrix, [[0, 0], [0, rows * 64 - n]]), (members, rows, 64))
    return ops.sum(ops.matmul(ops.ones((members, 1, rows)), squares), axis=(1, 2))
