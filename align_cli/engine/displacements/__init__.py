"""The displacement field: how far each tile of the target is still displaced after alignment.

Each tile of the target is matched in the warped source, with a covariance. The verdict rests on
these displacements alone.
"""
