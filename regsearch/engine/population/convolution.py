"""Convolution over a member axis, in several lowerings (`grid.Size` picks one by a fixed rule).

Activations are batch-last, (members, channels, height, width, batch), and without the first axis while they
are still the same for every member. So windows of the input are slices of long contiguous runs, and every
product is (filters × window) times (window × positions·batch), with no large operand transposed.
"""

import keras
import tensorflow as tf

from regsearch.grid import Window


def slice_windows(window: Window, x: tf.Tensor, fill: float = 0.0) -> list[tf.Tensor]:
    """The input under each place of the window, row by row: each (…, channels, height', width', batch)."""
    height, width = x.shape[-3:-1]
    pads = window.pads(height, width)
    if any(map(any, pads)):
        x = tf.pad(x, [[0, 0]] * (len(x.shape) - 3) + pads + [[0, 0]], constant_values=fill)
    (rows, columns), (down, right) = window.output(height, width), window.strides
    return [
        x[..., i : i + (rows - 1) * down + 1 : down, j : j + (columns - 1) * right + 1 : right, :]
        for i in range(0, window.reach[0], window.dilation[0])
        for j in range(0, window.reach[1], window.dilation[1])
    ]


def convolve(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor | None, window: Window, lowering: str) -> tf.Tensor:
    """Convolves each member's activations with its kernel.

    Args:
        x: (members, channels, height, width, batch), or (channels, height, width, batch) shared by all.
        kernel: (members, kernel height, kernel width, channels of a group, filters); the channels are parted
            into groups in order, and so are the filters, each of which sees its own group alone.
        bias: (members, filters), or None.
        window: the kernel's size, strides, padding and dilation.
        lowering: `patches`, `shifts` or `native`; see `grid.Size.lowering`.

    Returns:
        (members, filters, height', width', batch).
    """
    lowerings = {"patches": _by_patches, "shifts": _by_shifts, "native": _natively}
    grouped = kernel.shape[-2] < x.shape[-4]
    y = (_by_groups if grouped and lowering != "native" else lowerings[lowering])(x, kernel, window)
    return y if bias is None else y + bias[:, :, None, None, None]


def group_depthwise(kernel: tf.Tensor) -> tf.Tensor:
    """A depthwise kernel as `convolve` takes it, every channel a group.

    Args:
        kernel: as Keras has it, (members, kernel height, kernel width, channels, multiplier).

    Returns:
        (members, kernel height, kernel width, 1, channels·multiplier).
    """
    members, height, width, channels, multiplier = kernel.shape
    return tf.reshape(kernel, (members, height, width, 1, channels * multiplier))


def multiply(kernel: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """The product of each member's kernel with its activations.

    Args:
        kernel: (members, …, depth, units).
        x: (members, …, depth, n), or shared by all members: (depth, n), which makes one wide product, or with
            groups (groups, depth, n).

    Returns:
        (members, …, units, n).
    """
    if len(x.shape) > 2:
        return tf.matmul(kernel, x, transpose_a=True)
    members, depth, units = kernel.shape
    wide = tf.reshape(tf.transpose(kernel, (0, 2, 1)), (members * units, depth))
    return tf.reshape(tf.matmul(wide, x), (members, units, x.shape[-1]))


def _by_patches(x: tf.Tensor, kernel: tf.Tensor, window: Window) -> tf.Tensor:
    """All windows side by side, then one product."""
    members, height, width, channels, filters = kernel.shape
    rows, columns = window.output(*x.shape[-3:-1])
    depth = height * width * channels
    patches = tf.concat(slice_windows(window, x), axis=-4)
    patches = tf.reshape(patches, (*x.shape[:-4], depth, rows * columns * x.shape[-1]))
    y = multiply(tf.reshape(kernel, (members, depth, filters)), patches)
    return tf.reshape(y, (members, filters, rows, columns, x.shape[-1]))


def _by_shifts(x: tf.Tensor, kernel: tf.Tensor, window: Window) -> tf.Tensor:
    """One product for each place of the window, added up: no copy of all windows at once."""
    members, height, width, channels, filters = kernel.shape
    rows, columns = window.output(*x.shape[-3:-1])
    flat = tf.reshape(kernel, (members, height * width, channels, filters))
    y = tf.add_n(
        [
            multiply(flat[:, index], tf.reshape(place, (*x.shape[:-4], channels, rows * columns * x.shape[-1])))
            for index, place in enumerate(slice_windows(window, x))
        ]
    )
    return tf.reshape(y, (members, filters, rows, columns, x.shape[-1]))


def _by_groups(x: tf.Tensor, kernel: tf.Tensor, window: Window) -> tf.Tensor:
    """The windows of each group's channels side by side, then one product a group."""
    members, height, width, channels, filters = kernel.shape
    rows, columns = window.output(*x.shape[-3:-1])
    groups, depth = x.shape[-4] // channels, height * width * channels
    parted = tf.reshape(x, (*x.shape[:-4], groups, channels, *x.shape[-3:]))
    patches = tf.concat(slice_windows(window, parted), axis=-4)
    patches = tf.reshape(patches, (*x.shape[:-4], groups, depth, rows * columns * x.shape[-1]))
    flat = tf.transpose(tf.reshape(kernel, (members, depth, groups, filters // groups)), (0, 2, 1, 3))
    return tf.reshape(multiply(flat, patches), (members, filters, rows, columns, x.shape[-1]))


def _natively(x: tf.Tensor, kernel: tf.Tensor, window: Window) -> tf.Tensor:
    """TensorFlow's own convolution, member by member."""
    shared, (channels, filters) = len(x.shape) == 4, kernel.shape[-2:]
    last = tf.transpose(x, (3, 1, 2, 0) if shared else (0, 4, 2, 3, 1))
    if channels == x.shape[-4]:
        convolution, arguments = tf.nn.conv2d, (window.strides, window.padding.upper(), "NHWC", window.dilation)
    else:  # TensorFlow has no groups on a CPU; Keras knows ways around that
        convolution, arguments = keras.ops.conv, (window.strides, window.padding, "channels_last", window.dilation)
        if channels == 1:
            convolution = keras.ops.depthwise_conv
            kernel = tf.reshape(kernel, (*kernel.shape[:3], x.shape[-4], filters // x.shape[-4]))
    members = [
        convolution(last if shared else last[member], kernel[member], *arguments) for member in range(kernel.shape[0])
    ]
    return tf.transpose(tf.stack(members), (0, 4, 2, 3, 1))
