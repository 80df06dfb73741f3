"""A results folder's facts → its views: tables, figures and a page, rebuilt whole each time. Trains nothing."""

from regsearch.report.overview import find_studies
from regsearch.report.overview import write as write_all
from regsearch.report.views import Snapshot, read, read_optima, write

__all__ = ["Snapshot", "find_studies", "read", "read_optima", "write", "write_all"]
