"""A results folder's facts → its views: tables, figures and a page, rebuilt whole each time. Trains nothing."""

from regsearch.report.overview import find_studies
from regsearch.report.overview import write as write_all
from regsearch.report.views import Snapshot, read, write

__all__ = ["Snapshot", "find_studies", "read", "write", "write_all"]
