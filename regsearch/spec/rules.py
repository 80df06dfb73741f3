"""What no field of a spec can know alone: a function a rule, which yields where the spec breaks it."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from regsearch.spec.layers import LayerBase, walk_layers
from regsearch.spec.optimizers import Piecewise
from regsearch.spec.values import Count
from regsearch.spec.yaml import Location, Problem

if TYPE_CHECKING:
    from regsearch.spec.study import Spec


def _give_architectures_once(spec: "Spec") -> Iterator[Problem]:
    if (spec.architecture is None) == (spec.architectures is None):
        got = "neither" if spec.architecture is None else "both"
        yield (), f"expected either `architecture` with widths or a list `architectures`, got {got}"


def _give_planted_data_widths(spec: "Spec") -> Iterator[Problem]:
    if spec.dataset.name == "planted" and spec.architecture is None:
        message = "expected `architecture` with widths, which planted data follow, got `architectures`"
        yield ("dataset", "name"), message


def _let_widths_differ(spec: "Spec") -> Iterator[Problem]:
    scaled = spec.architecture if spec.dataset.name != "planted" else None
    if scaled and len(scaled.widths) > 1 and not _follow_width(scaled.layers):
        message = "expected `width` in at least one layer, got layers that are the same at every width"
        yield ("architecture", "layers"), message


def _tell_named_architectures_apart(spec: "Spec") -> Iterator[Problem]:
    for index, item in enumerate(spec.architectures or ()):
        for other in (spec.architectures or ())[:index]:
            if other.name == item.name:
                yield ("architectures", index, "name"), f"expected each name once, got {item.name!r} again"
            if other.layers == item.layers:
                message = f"expected different networks, got {item.name!r} with the layers of {other.name!r}"
                yield ("architectures", index), message


def _size_named_architectures_by_numbers(spec: "Spec") -> Iterator[Problem]:
    for index, item in enumerate(spec.architectures or ()):
        if _follow_width(item.layers):
            message = "expected sizes as numbers, got `width`, which only `architecture` has"
            yield ("architectures", index, "layers"), message


def _end_in_logits(spec: "Spec") -> Iterator[Problem]:
    stacks: dict[Location, tuple[LayerBase, ...]] = {}
    if spec.architecture:
        stacks["architecture",] = spec.architecture.layers
    stacks |= {("architectures", index): item.layers for index, item in enumerate(spec.architectures or ())}
    for location, layers in stacks.items():
        if (activation := getattr(layers[-1], "activation", "linear")) != "linear":
            yield (
                (*location, "layers", len(layers) - 1, layers[-1].kind, "activation"),
                f"expected no activation of the last layer, since the loss takes logits, got {activation!r} "
                "(leave it out; two classes have `units: classes` too)",
            )


def _penalise_something(spec: "Spec") -> Iterator[Problem]:
    stacks = {"the layers": spec.architecture.layers} if spec.architecture else {}
    stacks |= {f"the layers of {item.name}": item.layers for item in spec.architectures or ()}
    for stack, layers in stacks.items():
        if spec.training.penalised == "convolutions" and not any(layer.convolves for layer in walk_layers(layers)):
            message = f"expected a convolution in every network, whose kernel is penalised, got none in {stack}"
            yield ("training", "penalised"), message


def _give_train_sizes_once(spec: "Spec") -> Iterator[Problem]:
    if (spec.dataset.train is None) == (spec.grid.train_sizes is None):
        got = "neither" if spec.dataset.train is None else "both"
        yield ("dataset",), f"expected either dataset.train or grid.train_sizes, got {got}"


def _fill_a_batch(spec: "Spec") -> Iterator[Problem]:
    batch = spec.training.batch_size
    for index, size in enumerate(spec.train_sizes()):
        if size < batch:
            location = ("grid", "train_sizes", index) if spec.grid.train_sizes else ("dataset", "train")
            yield location, f"expected at least training.batch_size ({batch}) training images, got {size}"


def _give_the_learning_rate_once(spec: "Spec") -> Iterator[Problem]:
    optimizer = spec.training.optimizer
    if spec.grid.learning_rates is not None and "learning_rate" in optimizer.model_fields_set:
        message = "expected the learning rate in one place, got it here and in grid.learning_rates"
        yield ("training", "optimizer", optimizer.kind, "learning_rate"), message


def _end_pieces_within_training(spec: "Spec") -> Iterator[Problem]:
    schedule, epochs = spec.training.schedule, spec.training.epochs
    if isinstance(schedule, Piecewise) and schedule.boundaries[-1] >= epochs:
        message = f"expected epochs below training.epochs ({epochs}), got {schedule.boundaries[-1]}"
        yield ("training", "schedule", schedule.kind, "boundaries"), message


def _bound_the_trials(spec: "Spec") -> Iterator[Problem]:
    trials = spec.count_trials()
    if trials > spec.grid.max_trials:
        message = f"expected at most {spec.grid.max_trials:,} trials, got {trials:,}: raise grid.max_trials if meant"
        yield ("grid",), message


def _try_a_lambda_above_0(spec: "Spec") -> Iterator[Problem]:
    if spec.grid.lambda_values() == (0.0,):
        yield ("grid", "lambdas"), "expected at least one lambda above 0, got only 0"


RULES: list[Callable[["Spec"], Iterator[Problem]]] = [
    _give_architectures_once, _give_planted_data_widths, _let_widths_differ,
    _tell_named_architectures_apart, _size_named_architectures_by_numbers, _end_in_logits,
    _penalise_something,
    _give_train_sizes_once, _fill_a_batch, _give_the_learning_rate_once, _end_pieces_within_training,
    _bound_the_trials, _try_a_lambda_above_0,
]  # fmt: skip


def _follow_width(layers: tuple[LayerBase, ...]) -> bool:
    values = (value for layer in walk_layers(layers) for _, value in layer)
    return any(isinstance(value, Count) and value.of == "width" for value in values)
