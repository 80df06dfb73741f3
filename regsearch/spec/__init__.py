"""What is asked: a YAML text → a frozen `Spec`, or every error at once with file and line. Imports no Keras."""

from regsearch.spec.datasets import DOWNLOADED, Dataset, Digits, ImageFolder, Npz, Planted
from regsearch.spec.layers import LAYERS, LayerBase, Penalised, Residual
from regsearch.spec.optimizers import SGD, Cosine, OptimizerBase, Piecewise
from regsearch.spec.penalties import NONE, Coefficients, PenaltyBase
from regsearch.spec.sections import SMALLEST_LAMBDA, EarlyStopping, LambdaRange, Training
from regsearch.spec.starter import write as write_starter
from regsearch.spec.study import Spec, schema
from regsearch.spec.values import Count
from regsearch.spec.yaml import Location

__all__ = [
    "DOWNLOADED", "LAYERS", "NONE", "SGD", "SMALLEST_LAMBDA", "Coefficients", "Cosine", "Count",
    "Dataset", "Digits", "EarlyStopping", "ImageFolder", "LambdaRange", "LayerBase", "Location", "Npz",
    "OptimizerBase", "Penalised", "PenaltyBase", "Piecewise", "Planted", "Residual", "Spec", "Training",
    "schema", "write_starter",
]  # fmt: skip
