"""Each figure that the project claims, as a command: ``python -m benchmarks.NAME``."""
