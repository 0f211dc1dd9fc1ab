"""Robust losses, threads, matrix products, bands of rows: independent of images."""
