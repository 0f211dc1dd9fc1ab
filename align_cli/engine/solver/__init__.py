"""Gauss-Newton on a level, coarse to fine, refinement, noise covariance."""
