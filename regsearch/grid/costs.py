"""What an architecture costs, from its shapes alone: its work, its memory, how many train together."""

from dataclasses import dataclass
from math import prod

from regsearch.data import Facts
from regsearch.errors import SpecError
from regsearch.grid.cells import Architecture, make_architectures
from regsearch.grid.shapes import Cost, MisfitError, trace
from regsearch.spec import Spec, Training

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
    """One architecture's costs.

    Attributes:
        weights: trainable weights.
        penalised: weights in the kernels that the penalty is over.
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


def measure(spec: Spec, facts: Facts) -> dict[Architecture, Size]:
    """Sizes every architecture of the spec.

    Raises:
        SpecError: a layer does not fit its input, or the last does not give one number a class.
    """
    sizes, problems = {}, []
    for index, architecture in enumerate(make_architectures(spec)):
        location = ("architecture", "layers") if spec.architecture else ("architectures", index, "layers")
        width = f" at width {architecture.width}" if architecture.width else ""
        seen = facts.for_width(architecture.width)
        try:
            sizes[architecture] = _size(cost_architecture(architecture, seen.image, seen.outputs), spec.training)
        except MisfitError as misfit:
            problems.append(spec.problem((*location, *misfit.location), f"expected {misfit.expected}{width}"))
    if problems:
        raise SpecError(*problems)
    return sizes


def cost_architecture(architecture: Architecture, image: tuple[int, int, int], outputs: int) -> Cost:
    """What an architecture costs.

    Raises:
        MisfitError: a layer does not fit its input, or the last does not give one number a class.
    """
    after, cost = trace(architecture.layers, image, architecture.width, outputs, architecture.penalised)
    if after != (outputs,):
        expected = f"the last layer to give {outputs} numbers an image (`units: classes`), got shape {after}"
        raise MisfitError((len(architecture.layers) - 1, architecture.layers[-1].kind), expected)
    if not cost.penalised or cost.weights > MOST_WEIGHTS:
        got = f"{cost.penalised:,} penalised of {cost.weights:,}"
        raise MisfitError(
            (0, architecture.layers[0].kind), f"from 1 penalised to {MOST_WEIGHTS:,} weights, got {got}"
        )
    return cost + Cost(activations=prod(image))


def _size(cost: Cost, training: Training) -> Size:
    # Activations and patches are held once for the backward pass and once more as gradients; the weights'
    # copies are themselves, their gradients, two of the optimizer's, one in passing, and those that count
    # where a network may stop early.
    copies = 5 if training.early_stopping is None else 6
    kept = max(2 * training.batch_size, SCORED_AT_ONCE) * (cost.activations + cost.patches)
    largest = cost.largest * training.batch_size * _FLOAT
    return Size(cost.weights, cost.penalised, cost.work, largest, _FLOAT * (copies * cost.weights + kept))
