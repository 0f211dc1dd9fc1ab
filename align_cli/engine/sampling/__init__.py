"""Values and slopes of an image anywhere: bilinear, B-spline, sinc."""
