"""How a kernel or a pool slides over an image: the arithmetic of sizes, strides and padding."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """How a kernel or pool slides: what Keras calls kernel or pool size, strides, padding and dilation rate."""

    size: tuple[int, int]
    strides: tuple[int, int]
    padding: str
    dilation: tuple[int, int] = (1, 1)

    @property
    def reach(self) -> tuple[int, int]:
        """The height and width that it spans, the gaps of its dilation included."""
        (down, right), (rows, columns) = self.size, self.dilation
        return (down - 1) * rows + 1, (right - 1) * columns + 1

    def output(self, height: int, width: int) -> tuple[int, int]:
        """The height and width that come out."""
        return (
            _output(height, self.reach[0], self.strides[0], self.padding),
            _output(width, self.reach[1], self.strides[1], self.padding),
        )

    def pads(self, height: int, width: int) -> list[list[int]]:
        """What is added before and after height and width, as TensorFlow's `same` does."""
        if self.padding == "valid":
            return [[0, 0], [0, 0]]
        found = []
        for n, k, s in zip((height, width), self.reach, self.strides, strict=True):
            total = max((_output(n, k, s, self.padding) - 1) * s + k - n, 0)
            found.append([total // 2, total - total // 2])
        return found


def _output(n: int, k: int, s: int, padding: str) -> int:
    return -(-n // s) if padding == "same" else (n - k) // s + 1
