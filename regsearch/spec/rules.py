"""What no field of a spec can know alone: a function a rule, which yields where the spec breaks it."""

from collections.abc import Callable, Iterator

from regsearch.spec.layers import LayerBase, walk_layers
from regsearch.spec.optimizers import Piecewise
from regsearch.spec.study import Spec
from regsearch.spec.yaml import Problem


def give_architectures_once(spec: Spec) -> Iterator[Problem]:
    """Architectures are given by widths or by names."""
    if (spec.architecture is None) == (spec.architectures is None):
        got = "neither" if spec.architecture is None else "both"
        yield (), f"expected either `architecture` with widths or a list `architectures`, got {got}"


def give_planted_data_widths(spec: Spec) -> Iterator[Problem]:
    """Planted data follow the width, so there must be one."""
    if spec.dataset.name == "planted" and spec.architecture is None:
        message = "expected `architecture` with widths, which planted data follow, got `architectures`"
        yield ("dataset", "name"), message


def let_widths_differ(spec: Spec) -> Iterator[Problem]:
    """Something follows the width, where there are several."""
    if spec.architecture is None or len(spec.architecture.widths) == 1 or spec.dataset.name == "planted":
        return
    if not _follow_the_width(spec.architecture.layers):
        message = "expected `width` in at least one layer, got layers that are the same at every width"
        yield ("architecture", "layers"), message


def let_names_differ(spec: Spec) -> Iterator[Problem]:
    """Each architecture has its own name."""
    names = [item.name for item in spec.architectures or ()]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield ("architectures", index, "name"), f"expected each name once, got {name!r} again"


def let_named_layers_differ(spec: Spec) -> Iterator[Problem]:
    """Each name stands for layers of its own."""
    items = spec.architectures or ()
    for index, item in enumerate(items):
        if same := [other.name for other in items[:index] if other.layers == item.layers]:
            message = f"expected different networks, got {item.name!r} with the layers of {same[0]!r}"
            yield ("architectures", index), message


def size_named_layers_by_numbers(spec: Spec) -> Iterator[Problem]:
    """Architectures by name have no width."""
    for index, item in enumerate(spec.architectures or ()):
        if _follow_the_width(item.layers):
            message = "expected sizes as numbers, got `width`, which only `architecture` has"
            yield ("architectures", index, "layers"), message


def penalise_something(spec: Spec) -> Iterator[Problem]:
    """Where only convolutions are penalised, every architecture has one."""
    stacks = {f"the layers of {item.name}": item.layers for item in spec.architectures or ()}
    if spec.architecture is not None:
        stacks = {"the layers": spec.architecture.layers, **stacks}
    for stack, layers in stacks.items():
        if spec.training.penalised == "convolutions" and not any(layer.convolves for layer in walk_layers(layers)):
            message = f"expected a convolution in every network, whose kernel is penalised, got none in {stack}"
            yield ("training", "penalised"), message


def give_train_sizes_once(spec: Spec) -> Iterator[Problem]:
    """The training-set size is the dataset's or the grid's."""
    if (spec.dataset.train is None) == (spec.grid.train_sizes is None):
        got = "neither" if spec.dataset.train is None else "both"
        yield ("dataset",), f"expected either dataset.train or grid.train_sizes, got {got}"


def fill_a_batch(spec: Spec) -> Iterator[Problem]:
    """Every training set is at least a batch."""
    for index, size in enumerate(spec.train_sizes()):
        if size < spec.training.batch_size:
            batch = f"at least training.batch_size ({spec.training.batch_size}) training images"
            location = ("grid", "train_sizes", index) if spec.grid.train_sizes else ("dataset", "train")
            yield location, f"expected {batch}, got {size}"


def give_the_learning_rate_once(spec: Spec) -> Iterator[Problem]:
    """The learning rate is the optimizer's or the grid's."""
    optimizer = spec.training.optimizer
    if spec.grid.learning_rates is not None and "learning_rate" in optimizer.model_fields_set:
        message = "expected the learning rate in one place, got it here and in grid.learning_rates"
        yield ("training", "optimizer", optimizer.kind, "learning_rate"), message


def end_pieces_within_training(spec: Spec) -> Iterator[Problem]:
    """A schedule's last factor is used."""
    schedule, epochs = spec.training.schedule, spec.training.epochs
    if isinstance(schedule, Piecewise) and schedule.boundaries[-1] >= epochs:
        message = f"expected epochs below training.epochs ({epochs}), got {schedule.boundaries[-1]}"
        yield ("training", "schedule", schedule.kind, "boundaries"), message


def bound_the_trials(spec: Spec) -> Iterator[Problem]:
    """A grid as large as this may be a slip."""
    trials = count_trials(spec)
    if trials > spec.grid.max_trials:
        message = f"expected at most {spec.grid.max_trials:,} trials, got {trials:,}: raise grid.max_trials if meant"
        yield ("grid",), message


def try_a_lambda(spec: Spec) -> Iterator[Problem]:
    """Lambda 0 is there to be compared with."""
    if spec.grid.lambda_values() == (0.0,):
        yield ("grid", "lambdas"), "expected at least one lambda above 0, got only 0"


RULES: list[Callable[[Spec], Iterator[Problem]]] = [
    give_architectures_once, give_planted_data_widths, let_widths_differ, let_names_differ, let_named_layers_differ,
    size_named_layers_by_numbers, penalise_something, give_train_sizes_once, fill_a_batch,
    give_the_learning_rate_once, end_pieces_within_training, bound_the_trials, try_a_lambda,
]  # fmt: skip


def count_trials(spec: Spec) -> int:
    """The number of networks to train, without listing them."""
    lambdas = spec.grid.lambda_values()
    positive = sum(value > 0 for value in lambdas)
    architectures = len(spec.architecture.widths) if spec.architecture else len(spec.architectures or ())
    axes = architectures * len(spec.grid.seed_values()) * len(spec.learning_rates()) * len(spec.train_sizes() or (0,))
    return axes * (positive * len(spec.grid.penalties) + (0.0 in lambdas))


def _follow_the_width(layers: tuple[LayerBase, ...]) -> bool:
    return any(count.of == "width" for layer in layers for count in layer.counts())
