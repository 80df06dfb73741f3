"""Pure functions from a table of trials to tables of answers. No Keras, no files."""
