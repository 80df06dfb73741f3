"""Who trains what, where."""
