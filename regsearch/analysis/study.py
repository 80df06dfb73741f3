"""Trials and epochs → every table of a study."""

import math

import pandas as pd

from regsearch.analysis.best_lambda import find_best_lambdas, resample_optima
from regsearch.analysis.calibration import calibrate
from regsearch.analysis.curves import make_curves
from regsearch.analysis.mechanism import measure_mechanism
from regsearch.analysis.response import average_response
from regsearch.analysis.scaling import fit_scaling
from regsearch.analysis.stability import measure_stability
from regsearch.analysis.tables import Tables
from regsearch.analysis.transfer import measure_transfer
from regsearch.spec import Planted, Spec


def analyse(trials: pd.DataFrame, epochs: pd.DataFrame, spec: Spec) -> Tables:
    """Every table of a study.

    Args:
        trials: rows of the ledger.
        epochs: rows of `epochs.csv`; of these the starts, epoch 0, are enough.
        spec: the study's.
    """
    curves = list(make_curves(trials))
    best = find_best_lambdas(curves)
    training, penalties, dataset = spec.training, spec.grid.penalties, spec.dataset
    # How long a network trains is not known where it stops when it likes.
    steps = {size: math.nan if training.early_stopping else count for size, count in spec.steps().items()}
    factors = training.largest_and_mean_factor()
    stability = measure_stability(curves, training.optimizer, steps, penalties, factors)
    return Tables(
        best_lambda=best,
        scaling=fit_scaling(best, resample_optima(curves, best), stability),
        transfer=measure_transfer(curves),
        stability=stability,
        mechanism=measure_mechanism(trials, epochs, best, penalties),
        response=average_response(curves),
        calibration=calibrate(trials, dataset.exponent, dataset.draws) if isinstance(dataset, Planted) else None,
    )
