"""What helps with a value or key that a spec does not take but people write: a few words after the error."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

_NO_INPUT = "leave it out: the images' shape is known"
_SCALED = "leave it out: images are scaled already, and `dataset.standardise: true` standardises them"
_LOGITS = "leave it out: the loss takes logits"
_AS_ACTIVATION = "write it as `Activation: {activation: …}`, or as the activation of the layer before"
_NOT_VARIED = "leave it out: images are not varied at random here"
_DECOUPLED = "weight decay is the penalty `decoupled` of grid.penalties: its lambda is the decay"
_PENALISED = "grid.penalties and grid.lambdas regularise: every kernel of Conv2D and Dense"

_ADVICE = {
    "MaxPool2D": "Keras's other name of MaxPooling2D", "AvgPool2D": "Keras's other name of AveragePooling2D",
    "GlobalMaxPool2D": "Keras's other name of GlobalMaxPooling2D",
    "GlobalAvgPool2D": "Keras's other name of GlobalAveragePooling2D",
    "Convolution2D": "Keras's other name of Conv2D",
    "SeparableConvolution2D": "Keras's other name of SeparableConv2D", "BatchNorm": "Keras's BatchNormalization",
    "LayerNorm": "Keras's LayerNormalization",
    "Input": _NO_INPUT, "InputLayer": _NO_INPUT, "input_shape": _NO_INPUT, "batch_input_shape": _NO_INPUT,
    "Rescaling": _SCALED, "Normalization": _SCALED,
    "Softmax": _LOGITS, "softmax": _LOGITS, "log_softmax": _LOGITS,
    **dict.fromkeys(["ReLU", "LeakyReLU", "ELU", "PReLU"], _AS_ACTIVATION),
    **dict.fromkeys(["RandomFlip", "RandomCrop", "RandomRotation", "RandomTranslation", "RandomZoom",
                     "RandomContrast", "RandomBrightness"], _NOT_VARIED),
    "Add": "write `Residual: [layers]` around the layers that it skips",
    "weight_decay": _DECOUPLED, "adamw": _DECOUPLED, "AdamW": _DECOUPLED, "decay": _DECOUPLED,
    **dict.fromkeys(["kernel_regularizer", "depthwise_regularizer", "pointwise_regularizer"], _PENALISED),
    "lr": "write `learning_rate`",
}  # fmt: skip
"""What to do in place of names that Keras has, and a spec has not."""

_VALUES = {
    r"[-+]?\d+,\d+([eE][-+]?\d+)?": "write the number with a point, not a comma",
    r"[-+]?\d{1,3}([_' ]\d{3})+": "write the number without anything between its digits",
    r"[-+.\deE ]+(\^|\*\*|[*/])[-+.\deE ]+": "numbers are not computed: write 0.001 or 1e-3",
    r"[-+]?[.\d]+ *%": "write a share of 1, such as 0.05",
}
"""Texts where a number belongs."""

COMMA = "is a comma meant as a decimal point? Write the number with a point, and a space after a comma in a list"


def advise(name: object, known: Iterable[str] = ()) -> str:
    """What to add to the error of a value or key, in brackets; nothing where nothing helps.

    Args:
        name: what was written.
        known: what may be written there.
    """
    if not isinstance(name, str):
        return ""
    names = {other.lower(): other for other in known}
    if names.get(name.lower()) not in (None, name):
        return f" (did you mean {names[name.lower()]!r}?)"
    if name in _ADVICE:
        return f" ({_ADVICE[name]})"
    if close := get_close_matches(name.lower(), names, n=1, cutoff=0.75):
        return f" (did you mean {names[close[0]]!r}?)"
    return "".join(f" ({advice})" for pattern, advice in _VALUES.items() if re.fullmatch(pattern, name.strip()))
