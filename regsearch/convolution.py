"""Convolution over a member axis, in several lowerings (`sizing` picks one by a fixed rule).

Activations are batch-last, (members, channels, height, width, batch), and without the first axis while they
are still the same for every member. So windows of the input are slices of long contiguous runs, and every
product is (filters × window) times (window × positions·batch), with no large operand transposed.
"""

import tensorflow as tf

from regsearch.window import Window


def slices(window: Window, x: tf.Tensor, fill: float = 0.0) -> list[tf.Tensor]:
    """The input under each place of the window, row by row: each (…, channels, height', width', batch)."""
    height, width = x.shape[-3:-1]
    pads = window.pads(height, width)
    if any(map(any, pads)):
        x = tf.pad(x, [[0, 0]] * (len(x.shape) - 3) + pads + [[0, 0]], constant_values=fill)
    (rows, columns), (down, right) = window.output(height, width), window.strides
    return [
        x[..., i : i + (rows - 1) * down + 1 : down, j : j + (columns - 1) * right + 1 : right, :]
        for i in range(window.size[0])
        for j in range(window.size[1])
    ]


def convolve(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor | None, window: Window, lowering: str) -> tf.Tensor:
    """Convolves each member's activations with its kernel.

    Args:
        x: (members, channels, height, width, batch), or (channels, height, width, batch) shared by all.
        kernel: (members, kernel height, kernel width, channels, filters).
        bias: (members, filters), or None.
        window: the kernel's size, strides and padding.
        lowering: one of `sizing.LOWERINGS`.

    Returns:
        (members, filters, height', width', batch).
    """
    lowerings = {"patches": _by_patches, "shifts": _by_shifts, "native": _natively}
    y = lowerings[lowering](x, kernel, window)
    return y if bias is None else y + bias[:, :, None, None, None]


def product(kernel: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """The product of each member's kernel with its activations.

    Args:
        kernel: (members, depth, units).
        x: (members, depth, n), or (depth, n) shared by all members, which makes one wide product.

    Returns:
        (members, units, n).
    """
    if len(x.shape) == 3:
        return tf.matmul(kernel, x, transpose_a=True)
    members, depth, units = kernel.shape
    wide = tf.reshape(tf.transpose(kernel, (0, 2, 1)), (members * units, depth))
    return tf.reshape(tf.matmul(wide, x), (members, units, x.shape[-1]))


def _by_patches(x: tf.Tensor, kernel: tf.Tensor, window: Window) -> tf.Tensor:
    """All windows side by side, then one product."""
    members, height, width, channels, filters = kernel.shape
    rows, columns = window.output(*x.shape[-3:-1])
    depth = height * width * channels
    patches = tf.concat(slices(window, x), axis=-4)
    patches = tf.reshape(patches, (*x.shape[:-4], depth, rows * columns * x.shape[-1]))
    y = product(tf.reshape(kernel, (members, depth, filters)), patches)
    return tf.reshape(y, (members, filters, rows, columns, x.shape[-1]))


def _by_shifts(x: tf.Tensor, kernel: tf.Tensor, window: Window) -> tf.Tensor:
    """One product for each place of the window, added up: no copy of all windows at once."""
    members, height, width, channels, filters = kernel.shape
    rows, columns = window.output(*x.shape[-3:-1])
    flat = tf.reshape(kernel, (members, height * width, channels, filters))
    y = tf.add_n(
        [
            product(flat[:, at], tf.reshape(part, (*x.shape[:-4], channels, rows * columns * x.shape[-1])))
            for at, part in enumerate(slices(window, x))
        ]
    )
    return tf.reshape(y, (members, filters, rows, columns, x.shape[-1]))


def _natively(x: tf.Tensor, kernel: tf.Tensor, window: Window) -> tf.Tensor:
    """TensorFlow's own convolution, member by member."""
    shared = len(x.shape) == 4
    last = tf.transpose(x, (3, 1, 2, 0) if shared else (0, 4, 2, 3, 1))
    members = [
        tf.nn.conv2d(last if shared else last[member], kernel[member], window.strides, window.padding.upper())
        for member in range(kernel.shape[0])
    ]
    return tf.transpose(tf.stack(members), (0, 4, 2, 3, 1))
