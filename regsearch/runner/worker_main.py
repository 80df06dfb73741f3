"""The main module of a worker process, which runs before anything else in it is imported."""

from regsearch import surroundings

surroundings.set_aside(worker=True)
surroundings.import_apart("dask", "distributed")
