"""The version, in one place that loads nothing else."""

__version__ = "0.1.0"
