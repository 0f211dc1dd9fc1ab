"""Robust losses, threads, products of matrices, bands of rows: knows nothing of images."""
