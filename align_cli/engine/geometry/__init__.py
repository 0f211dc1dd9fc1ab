"""Coordinates, motion models, and how a covariance propagates to any place."""
