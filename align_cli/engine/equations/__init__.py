"""Residuals, illumination and the normal equations of a Gauss-Newton step."""
