"""The displacement field: how far each textured place of the target still lies from its match.

After the solver, every tile of the target that has texture says by itself how far it lies from
where it fits the warped source best, and how exactly it can tell. The modules of this folder
measure that field, ask how likely it would be if the images were unrelated (``false_alarms``), and
say how exactly it fixes a motion model (``covariance``). Arrays in, arrays out; what follows from
them is decided elsewhere.
"""
