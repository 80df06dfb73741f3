"""A results folder's facts → its views: tables, figures and a page, rebuilt whole each time. Trains nothing."""

from regsearch.report.build import Report, optima, read, write

__all__ = ["Report", "optima", "read", "write"]
