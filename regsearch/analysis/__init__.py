"""What trained networks say: trials → tables → words. Pure: no files, no Keras."""

from regsearch.analysis.best_lambda import find_best_lambdas
from regsearch.analysis.calibration import calibrate
from regsearch.analysis.curves import Curve, make_curves
from regsearch.analysis.doubts import list_doubts
from regsearch.analysis.mechanism import ENDS, measure_mechanism
from regsearch.analysis.response import average_response
from regsearch.analysis.scaling import CONSTANT, INVERSE, find_bounds, fit_line, fit_scaling
from regsearch.analysis.stability import COLLAPSED, measure_stability
from regsearch.analysis.suggestion import Refusal, Suggestion, suggest
from regsearch.analysis.transfer import RULES, measure_transfer
from regsearch.analysis.verdict import SETTING, Tables, name_setting, select_setting, write_verdict

__all__ = [
    "COLLAPSED",
    "CONSTANT",
    "ENDS",
    "INVERSE",
    "RULES",
    "SETTING",
    "Curve",
    "Refusal",
    "Suggestion",
    "Tables",
    "average_response",
    "calibrate",
    "find_best_lambdas",
    "find_bounds",
    "fit_line",
    "fit_scaling",
    "list_doubts",
    "make_curves",
    "measure_mechanism",
    "measure_stability",
    "measure_transfer",
    "name_setting",
    "select_setting",
    "suggest",
    "write_verdict",
]
