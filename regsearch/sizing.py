"""What a network costs, from its shapes alone: whether its layers fit, its work, its memory, how many train together.

Imports no Keras: tests hold the shapes and counts to Keras's own.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

from regsearch.datasets import Shape
from regsearch.errors import SpecError
from regsearch.grid import Network, networks
from regsearch.layers import LayerBase
from regsearch.spec import Spec
from regsearch.window import Window

CACHE = 4 * 2**20
"""Bytes of patches that may train together on a CPU: about what the caches of one core serve well."""
MOST_ON_CPU, MOST_ON_GPU = 32, 256
SCORED_AT_ONCE = 64
"""Images scored together: few enough to stay in the cache."""
KEPT_COMPILED = 2
"""Networks that a worker keeps compiled: the one it trains and the one before."""
LOWERINGS = ("patches", "shifts", "native")
NATIVE_ABOVE = 512 * 2**20
"""Bytes of patches above which memory matters more than speed."""
MOST_WEIGHTS = 10**9
_FLOAT = 4


@dataclass(frozen=True)
class Size:
    """One network's costs.

    Attributes:
        weights: trainable weights.
        penalised: weights in the kernels of Conv2D and Dense.
        work: multiplications and additions to score one image.
        largest_patches: bytes of the windows of its largest convolution, for a batch.
        memory: bytes that one member needs to train: weights, gradients, the optimizer's state, activations.
    """

    weights: int
    penalised: int
    work: int
    largest_patches: int
    memory: int

    def members(self, device: str, memory_gib: float) -> int:
        """How many train together at most, by shapes, kind of device and memory alone."""
        most = MOST_ON_GPU if device == "GPU" else min(MOST_ON_CPU, CACHE // max(1, self.largest_patches))
        return max(1, min(most, int(memory_gib * 2**30 / self.memory)))

    def lowering(self, kernel_size: tuple[int, int], device: str) -> str:
        """How a convolution of this network is computed, by shapes and kind of device alone.

        Drawn from `tests/benchmarks/convolutions.py` and `large_images.py`: on a CPU, patches and one product
        beat TensorFlow's own convolution several times over on small images. On large ones its own is up to
        twice as fast by itself, but it does not go through XLA, and the whole network then takes half as
        long again; it is left for networks whose patches would not fit.

        Args:
            kernel_size: (height, width); with (1, 1) the input is its own patches.
            device: `CPU` or `GPU`.
        """
        if device == "CPU" and self.largest_patches > NATIVE_ABOVE:
            return "native"
        return "shifts" if kernel_size == (1, 1) else "patches"


def measure(spec: Spec, shape: Shape) -> dict[Network, Size]:
    """Sizes every network of the spec.

    Raises:
        SpecError: a layer does not fit its input, or the last does not give one number a class.
    """
    found, problems = {}, []
    for index, network in enumerate(networks(spec)):
        where = ("architecture", "layers") if spec.architecture else ("architectures", index, "layers")
        at = f" at width {network.width}" if network.width else ""
        size, wrong = _size(network, shape.at(network.width), spec.training.batch_size)
        if size is None:
            layer, message = wrong
            kind = (network.layers[layer].kind,)
            problems.append(spec.problem((*where, layer, *kind), f"expected {message}{at}"))
        else:
            found[network] = size
    if problems:
        raise SpecError(*problems)
    return found


def window_of(arguments: dict[str, Any], size: str) -> Window:
    """The window of a layer's arguments; pools stride by their size unless told otherwise."""
    return Window(arguments[size], arguments["strides"] or arguments[size], arguments["padding"])


def _size(network: Network, shape: Shape, batch: int) -> tuple[Size | None, tuple[int, str]]:
    """The network's size, or the first layer that does not fit and why."""
    now: tuple[int, ...] = shape.image
    weights = penalised = work = patches = largest = 0
    activations = prod(now)
    for index, layer in enumerate(network.layers):
        arguments = layer.arguments(network.width, shape.classes)
        after, wrong = _output(layer, arguments, now)
        if after is None:
            return None, (index, wrong)
        if layer.penalised:
            depth = now[-1] * (prod(arguments["kernel_size"]) if layer.kind == "Conv2D" else 1)
            penalised += depth * after[-1]
            weights += depth * after[-1] + after[-1] * arguments["use_bias"]
            work += 2 * depth * prod(after)
            if layer.kind == "Conv2D":
                patches += depth * prod(after[:2])
                largest = max(largest, depth * prod(after[:2]) * batch * _FLOAT)
        elif layer.kind == "BatchNormalization":
            weights += now[-1] * (arguments["scale"] + arguments["center"])
        activations += prod(after)
        now = after
    if now != (shape.classes,):
        message = f"the last layer to give {shape.classes} numbers an image (`units: classes`), got shape {now}"
        return None, (len(network.layers) - 1, message)
    if not penalised or weights > MOST_WEIGHTS:
        return None, (0, f"from 1 penalised to {MOST_WEIGHTS:,} weights, got {penalised:,} penalised of {weights:,}")
    # Activations and patches are held once for the backward pass and once more as gradients; the weights'
    # copies are themselves, their gradients, two of the optimizer's and one in passing.
    kept = max(2 * batch, SCORED_AT_ONCE) * (activations + patches)
    return Size(weights, penalised, work, largest, _FLOAT * (5 * weights + kept)), (0, "")


def _output(layer: LayerBase, arguments: dict[str, Any], now: tuple[int, ...]) -> tuple[tuple[int, ...] | None, str]:
    """The shape that comes out of a layer for one image, or None and what was expected."""
    if layer.kind == "Flatten":
        return (prod(now),), ""
    if layer.kind == "Dense":
        return (*now[:-1], arguments["units"]), ""
    if layer.kind in ("Activation", "Dropout", "BatchNormalization"):
        return now, ""
    if len(now) != 3:
        return None, f"an image, shape (height, width, channels), got shape {now}"
    if layer.kind.startswith("Global"):
        return now[-1:], ""
    window = window_of(arguments, "kernel_size" if layer.kind == "Conv2D" else "pool_size")
    if window.padding == "valid" and (window.size[0] > now[0] or window.size[1] > now[1]):
        return None, f"a window no larger than its input, got {list(window.size)} over an image of shape {now}"
    return (*window.output(*now[:2]), arguments.get("filters", now[-1])), ""
