"""Products and convolutions of many networks at once, each with its own kernel.

Activations are batch-last, (members, channels, height, width, batch): windows of the input are slices of long
contiguous runs, and every product is (filters × window) times (window × positions·batch), with no large operand
transposed. Where activations are still the same for several members, as images are, their first axis has one place
for all of these (`spread` makes them one a member).
"""

from collections.abc import Callable
from typing import Any, cast

from keras import ops

from regsearch.engine.backend import door
from regsearch.grid import Window


def spread(x: Any, members: int) -> Any:
    """Activations of groups of members as those of each member, in order."""
    groups = x.shape[0]
    if groups == members:
        return x
    each = ops.broadcast_to(x[:, None], (groups, members // groups, *x.shape[1:]))
    return ops.reshape(each, (members, *x.shape[1:]))


def slice_windows(window: Window, x: Any, fill: float = 0.0) -> list[Any]:
    """The input under each place of the window, row by row: each (…, channels, height', width', batch)."""
    height, width = x.shape[-3:-1]
    pads = window.pads(height, width)
    if any(map(any, pads)):
        x = ops.pad(x, [[0, 0]] * (len(x.shape) - 3) + pads + [[0, 0]], constant_values=fill)
    (rows, columns), (down, right) = window.output(height, width), window.strides
    return [
        x[..., i : i + (rows - 1) * down + 1 : down, j : j + (columns - 1) * right + 1 : right, :]
        for i in range(0, window.reach[0], window.dilation[0])
        for j in range(0, window.reach[1], window.dilation[1])
    ]


def convolve(x: Any, kernel: Any, bias: Any, window: Window, sure: Any) -> Any:
    """Convolves each member's activations with its kernel: all windows side by side, then one product.

    Args:
        x: (members or groups of them, channels, height, width, batch).
        kernel: (members, kernel height, kernel width, channels of a group, filters); the channels are parted
            into groups in order, and so are the filters, each of which sees its own group alone.
        bias: (members, filters), or None.
        window: the kernel's size, strides, padding and dilation.
        sure: see `Door.keep`.

    Returns:
        (members, filters, height', width', batch).
    """
    members, height, width, channels, filters = kernel.shape
    rows, columns = window.output(*x.shape[-3:-1])
    depth, parted = height * width * channels, x.shape[1] // channels
    after = (members, filters, rows, columns, x.shape[-1])
    if parted == 1:
        patches = _join_windows(window, x, sure)
        patches = ops.reshape(patches, (x.shape[0], depth, rows * columns * x.shape[-1]))
        return ops.reshape(multiply(ops.reshape(kernel, (members, depth, filters)), patches, bias, sure), after)
    x = ops.reshape(spread(x, members), (members * parted, channels, *x.shape[2:]))
    patches = ops.reshape(_join_windows(window, x, sure), (members * parted, depth, rows * columns * x.shape[-1]))
    each = ops.transpose(ops.reshape(kernel, (members, depth, parted, filters // parted)), (0, 2, 1, 3))
    own = None if bias is None else ops.reshape(bias, (members * parted, filters // parted))
    return ops.reshape(
        multiply(ops.reshape(each, (members * parted, depth, filters // parted)), patches, own, sure), after
    )


def group_depthwise(kernel: Any) -> Any:
    """A depthwise kernel as `convolve` takes it, every channel a group.

    Args:
        kernel: as Keras has it, (members, kernel height, kernel width, channels, multiplier).

    Returns:
        (members, kernel height, kernel width, 1, channels·multiplier).
    """
    members, height, width, channels, multiplier = kernel.shape
    return ops.reshape(kernel, (members, height, width, 1, channels * multiplier))


def multiply(kernel: Any, x: Any, bias: Any, sure: Any) -> Any:
    """The product of each member's kernel with its activations.

    Args:
        kernel: (members, depth, units).
        x: (members, depth, n), or (groups, depth, n): one wide product for each group of members.
        bias: (members, units), or None.
        sure: see `Door.keep`.

    Returns:
        (members, units, n).
    """
    members, depth, units = kernel.shape
    groups = x.shape[0]
    bias = ops.zeros((members, units)) if bias is None else bias
    if groups < members:
        kernel = ops.transpose(ops.reshape(kernel, (groups, -1, depth, units)), (0, 2, 1, 3))
        kernel = ops.reshape(kernel, (groups, depth, -1))
        bias = ops.reshape(bias, (groups, -1))
    return ops.reshape(_make_product(sure)(kernel, x, bias), (members, units, x.shape[-1]))


def _join_windows(window: Window, x: Any, sure: Any) -> Any:
    """All windows of the input side by side along its channels."""
    if window.size == window.strides == (1, 1):
        return x
    if max(window.strides) > 1:
        same = ops.custom_gradient(lambda x: (x, lambda upstream: door().keep(upstream, sure)))
        return ops.concatenate(slice_windows(window, same(x)), axis=1)
    return ops.custom_gradient(lambda x: _join_neighbours(window, x, sure))(x)


def _join_neighbours(window: Window, x: Any, sure: Any) -> tuple[Any, Callable[[Any], Any]]:
    """The windows at every place, and the gradient through them.

    Columns are shifted first, and then rows: those are long runs, which copy at several times the rate of the slices
    of single places. The gradient is that of such slices: each padded to where it came from, and added up.
    """
    height, width = x.shape[-3:-1]
    pads = [[0, 0], [0, 0], *window.pads(height, width), [0, 0]]
    rows, columns = window.output(height, width)
    downs, rights = (range(0, reach, step) for reach, step in zip(window.reach, window.dilation, strict=True))
    padded = ops.pad(x, pads) if any(map(any, pads)) else x
    shifted = ops.concatenate([padded[..., right : right + columns, :] for right in rights], axis=1)
    patches = ops.concatenate([shifted[..., down : down + rows, :, :] for down in downs], axis=1)

    def differentiate(upstream: Any) -> Any:
        places = [(down, right) for down in downs for right in rights]
        total = ops.zeros_like(padded)
        for (down, right), piece in zip(places, ops.split(upstream, len(places), axis=1), strict=True):
            below, beside = padded.shape[-3] - rows - down, padded.shape[-2] - columns - right
            total = total + ops.pad(piece, [[0, 0], [0, 0], [down, below], [right, beside], [0, 0]])
        (top, _), (left, _) = pads[2:4]
        return door().keep(total[..., top : top + height, left : left + width, :], sure)

    return patches, differentiate


def _make_product(sure: Any) -> Callable[..., Any]:
    """kernelᵀ·x + bias, with a gradient by hand, so that no large operand is turned round or computed twice."""

    def product(kernel: Any, x: Any, bias: Any) -> Any:
        def differentiate(upstream: Any) -> Any:
            upstream = door().keep(upstream, sure)
            products = door().multiply(x, upstream, turn_b=True), door().multiply(kernel, upstream)
            return (*products, ops.sum(upstream, axis=-1))

        return door().multiply(kernel, x, turn_a=True) + bias[..., None], differentiate

    return cast(Callable[..., Any], ops.custom_gradient(product))
