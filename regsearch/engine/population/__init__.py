"""The spec's layers with a member axis, by kind."""
