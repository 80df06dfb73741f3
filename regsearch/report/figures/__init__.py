"""Pure functions from tables to figures: each computes its points, then draws them. No files."""
