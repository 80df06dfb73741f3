"""The JSON Schema of a spec, for editors: made from the models that validate it, so that the two cannot part.

What no schema can say (a batch larger than the training set, a grid of too many trials, …) is left to
`regsearch check`.
"""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from regsearch.spec.study import Spec

DIALECT = "https://json-schema.org/draft/2020-12/schema"
KEYS = {
    "Spec": {
        "name": "The study's name; its results go to results/<name>/.",
        "dataset": "Which images, how many, how noisy their labels.",
        "architecture": "One architecture at several widths.",
        "architectures": "Several architectures by name, in place of `architecture`.",
        "grid": "The axes: every combination is trained.",
        "training": "How each network is trained.",
    },
    "Dataset": {
        "name": "A dataset by name (`regsearch datasets` lists them), or npz or images for your own.",
        "path": "The .npz file, the folder of images, or the file of a named dataset that is here already.",
        "size": "Of images: what they are resized to, [height, width].",
        "color": "Of images: rgb or grayscale.",
        "train": "Training images; or grid.train_sizes for several numbers of them.",
        "validation": "Validation images: they choose lambda.",
        "test": "Test images: they are only ever reported.",
        "label_noise": "The share of training and validation labels redrawn at random; test labels stay clean.",
        "standardise": "Takes each channel's mean and deviation over the training images out of all images.",
        "exponent": "Of planted data: the best lambda goes with the number of weights to this power: -1, 0 or 1.",
        "draws": "Of planted data: how many studies the seeds are parted into.",
    },
    "ScaledArchitecture": {
        "widths": "The widths; sizes of layers may be multiples of `width`.",
        "layers": "Keras's layers with Keras's arguments. The last gives one number a class: `units: classes`.",
    },
    "NamedArchitecture": {
        "name": "The name in the tables.",
        "layers": "Keras's layers with Keras's arguments. The last gives one number a class: `units: classes`.",
    },
    "Grid": {
        "penalties": "l1, l2, {l1_l2: {ratio: 0.5}}, l1_mean, l2_mean, decoupled: over the penalised kernels.",
        "lambdas": "A list, or a range {from: 1e-5, to: 1, per_decade: 2, zero: true}.",
        "seeds": "A number of seeds, or a list of them; each has its own split, start and order of batches.",
        "learning_rates": "Several learning rates, in place of the optimizer's.",
        "train_sizes": "Several numbers of training images, in place of dataset.train.",
        "max_trials": "A larger grid is refused.",
        "extend": "How many decades the lambdas may grow beyond an edge where an optimum sits; 0: none.",
        "refine": "How many lambdas a decade are added around each optimum once it is found; 0: none.",
    },
    "LambdaRange": {
        "from": "The smallest lambda above 0.",
        "to": "The largest.",
        "per_decade": "How many a factor of ten.",
        "zero": "Whether lambda 0 is trained too, to compare with.",
    },
    "Training": {
        "optimizer": "Keras's optimizer with Keras's arguments, such as {SGD: {learning_rate: 0.05}}.",
        "batch_size": "Images a step.",
        "epochs": "Passes over the training images, or parts of `steps_per_epoch` steps.",
        "steps_per_epoch": "Steps between two scores, in place of one pass over the training images.",
        "schedule": "What the learning rate is multiplied with: cosine, or piecewise with boundaries in epochs.",
        "early_stopping": "Ends a network's training once its validation loss no longer falls.",
        "penalised": "Which kernels the penalty is over: all (the default), or those of convolutions.",
        "memory_gib": "What the networks that train together may take in one worker.",
    },
    "EarlyStopping": {
        "patience": "After how many epochs in a row without a better validation loss it stops.",
        "min_delta": "By how much a loss must be lower to be better.",
        "restore_best_weights": "Whether the weights of the best epoch count, rather than those of the last.",
    },
}
"""What editors show of each key."""


class _Generator(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        """Keys are their own titles."""
        return False


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a spec."""
    found = Spec.model_json_schema(schema_generator=_Generator)
    sections = {"Spec": found, **found["$defs"]}
    for section, keys in KEYS.items():
        for key, about in keys.items():
            sections[section]["properties"][key]["description"] = about
    return {"$schema": DIALECT, **found, "title": "A regsearch study"}
