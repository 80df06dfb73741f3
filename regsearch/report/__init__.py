"""A results folder's facts → its views: tables, figures and a page, rebuilt whole each time. Trains nothing."""

from regsearch.report.build import PAGE, Report, optima, read, write
from regsearch.report.overview import Overview, inside
from regsearch.report.overview import write as write_all

__all__ = ["PAGE", "Overview", "Report", "inside", "optima", "read", "write", "write_all"]
