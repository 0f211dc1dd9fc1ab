"""Interpolation of images and of their gradients: bilinear, B-spline, sinc."""
