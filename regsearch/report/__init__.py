"""A results folder's facts → its views: CSV tables, rebuilt whole each time. Trains nothing."""

from regsearch.report.build import Report, write

__all__ = ["Report", "write"]
