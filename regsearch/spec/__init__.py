"""What is asked: a YAML text → a frozen `Spec`, or every error at once with file and line. Imports no Keras."""

from regsearch.spec.layers import LAYERS, LayerBase, Penalised, Residual, every
from regsearch.spec.optimizers import SGD, OptimizerBase
from regsearch.spec.penalties import NONE, PenaltyBase, Shares
from regsearch.spec.schedules import Cosine, Piecewise
from regsearch.spec.schema import schema
from regsearch.spec.starter import write as write_starter
from regsearch.spec.study import (
    DOWNLOADED,
    SMALLEST_LAMBDA,
    Dataset,
    EarlyStopping,
    LambdaRange,
    Spec,
    Training,
    load,
)
from regsearch.spec.values import Count
from regsearch.spec.yaml import Location

__all__ = [
    "DOWNLOADED", "LAYERS", "NONE", "SGD", "SMALLEST_LAMBDA", "Cosine", "Count", "Dataset", "EarlyStopping",
    "LambdaRange", "LayerBase", "Location", "OptimizerBase", "Penalised", "PenaltyBase", "Piecewise", "Residual",
    "Shares", "Spec", "Training", "every", "load", "schema", "write_starter",
]  # fmt: skip
