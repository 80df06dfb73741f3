"""What trained networks say: trials → tables → words. Pure: no files, no Keras."""

from regsearch.analysis.best_lambda import find_best_lambdas
from regsearch.analysis.curves import make_curves
from regsearch.analysis.mechanism import ENDS
from regsearch.analysis.scaling import CONSTANT, INVERSE, find_bounds, fit_line
from regsearch.analysis.stability import MOSTLY, find_divergence
from regsearch.analysis.study import analyse
from regsearch.analysis.suggestion import Refusal, Suggestion, suggest, tabulate
from regsearch.analysis.tables import Setting, Tables, name_setting, split_settings
from regsearch.analysis.transfer import RULES
from regsearch.analysis.words import CLAIMS, STATUSES, list_doubts, write_verdict

__all__ = [
    "CLAIMS", "CONSTANT", "ENDS", "INVERSE", "MOSTLY", "RULES", "STATUSES", "Refusal", "Setting", "Suggestion",
    "Tables", "analyse", "find_best_lambdas", "find_bounds", "find_divergence", "fit_line", "list_doubts",
    "make_curves", "name_setting", "split_settings", "suggest", "tabulate", "write_verdict",
]  # fmt: skip
