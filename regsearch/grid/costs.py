"""What an architecture costs, from its shapes alone: its work, its memory, how many train together."""

from dataclasses import dataclass
from math import prod

from regsearch.data import Facts
from regsearch.errors import SpecError
from regsearch.grid.cells import Architecture, make_architectures
from regsearch.grid.shapes import Cost, MisfitError, trace
from regsearch.spec import Spec, Training

CACHE = 4 * 2**20
"""Bytes of windows that train together on a CPU: about what the caches of one core serve well."""
MOST_ON_CPU, MOST_ON_GPU = 32, 256
FEWEST_IMAGES, MOST_IMAGES = 16, 32
"""Images of a batch that are computed at a time on a CPU: fewer make slow products; more leave less to members."""
SCORED_AT_ONCE = 64
"""Images scored together: few enough to stay in the cache."""
KEPT_COMPILED = 2
"""Networks that a worker keeps compiled: the one it trains and the one before."""
MOST_WEIGHTS = 10**9
_FLOAT = 4


@dataclass(frozen=True)
class Size:
    """One architecture's costs.

    Attributes:
        weights: trainable weights.
        penalised: weights in the kernels that the penalty is over.
        work: multiplications and additions to score one image.
        batch_size: images a step.
        sees_batch: whether a layer needs them all at once.
        patches: bytes of the windows of its largest convolution, for an image.
        image: bytes that an image takes in a member: what comes out of each layer, and the windows.
        state: bytes of a member's weights, gradients and optimizer.
    """

    weights: int
    penalised: int
    work: int
    batch_size: int = 1
    sees_batch: bool = False
    patches: int = 0
    image: int = 0
    state: int = 0

    def members(self, device: str, memory_gib: float) -> int:
        """How many train together at most, by shapes, kind of device and memory alone."""
        together = max(1, self.patches) * self.sub_batch(device)
        most = MOST_ON_GPU if device == "GPU" else min(MOST_ON_CPU, CACHE // together)
        return max(1, min(most, int(memory_gib * 2**30 / self.memory(device))))

    def sub_batch(self, device: str) -> int:
        """How many images of a batch are computed at a time, by shapes and kind of device alone.

        Drawn from `tests/benchmarks/sub_batches.py`: a member's windows of 16 to 32 images, or of fewer where these
        leave the cache. A number that divides the batch is taken where one is near.
        """
        if device == "GPU" or self.sees_batch:
            return self.batch_size
        fitting = CACHE // max(1, self.patches)
        most = max(1, min(MOST_IMAGES, max(FEWEST_IMAGES, fitting // 8), fitting, self.batch_size))
        divisors = [count for count in range(most // 2 + 1, most + most // 8 + 1) if self.batch_size % count == 0]
        return max(divisors, default=most)

    def memory(self, device: str) -> int:
        """Bytes that one member needs to train; activations are held once more as gradients."""
        return self.state + max(2 * self.sub_batch(device), SCORED_AT_ONCE) * self.image


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
            sizes[architecture] = find_size(cost_architecture(architecture, seen.image, seen.outputs), spec.training)
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


def find_size(cost: Cost, training: Training) -> Size:
    """What a cost comes to in training."""
    # The weights' copies are themselves, their gradients, two of the optimizer's, one in passing, and those that
    # count where a network may stop early.
    copies = 5 if training.early_stopping is None else 6
    return Size(
        cost.weights, cost.penalised, cost.work, training.batch_size, cost.sees_batch, cost.largest * _FLOAT,
        (cost.activations + cost.patches) * _FLOAT, copies * cost.weights * _FLOAT,
    )  # fmt: skip
