"""What trained networks say: trials → tables → words. Pure: no files, no Keras."""

from regsearch.analysis.best_lambda import find_best_lambdas, resample_optima
from regsearch.analysis.curves import make_curves
from regsearch.analysis.mechanism import ENDS
from regsearch.analysis.power import SCATTER, find_detectable
from regsearch.analysis.scaling import CONSTANT, INVERSE, WIDEST_TOLERANCE, find_bounds, fit_line, fit_scaling
from regsearch.analysis.stability import MOSTLY, find_divergence
from regsearch.analysis.study import analyse
from regsearch.analysis.suggestion import Refusal, Suggestion, suggest, tabulate
from regsearch.analysis.tables import Setting, Tables, name_setting, split_settings
from regsearch.analysis.transfer import RULES
from regsearch.analysis.words import CLAIMS, STATUSES, list_doubts, write_verdict

__all__ = [
    "CLAIMS", "CONSTANT", "ENDS", "INVERSE", "MOSTLY", "RULES", "SCATTER", "STATUSES",
    "WIDEST_TOLERANCE", "Refusal", "Setting", "Suggestion", "Tables", "analyse", "find_best_lambdas",
    "find_bounds", "find_detectable", "find_divergence", "fit_line", "fit_scaling", "list_doubts", "make_curves",
    "name_setting", "resample_optima", "split_settings", "suggest", "tabulate", "write_verdict",
]  # fmt: skip
