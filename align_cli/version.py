"""The version and the distribution's name, in one place that loads nothing else."""

__version__ = "0.1.0"

DISTRIBUTION = "align-cli"
"""What pip installs: imalign on PyPI is another author's. The command is imalign all the same."""
