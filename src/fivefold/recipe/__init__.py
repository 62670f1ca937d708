"""The recipe file, the runner, the cache and the run folder."""
