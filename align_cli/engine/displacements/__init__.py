"""The displacement field: how far each place of the target still lies from where it fits best.

After the solver, tiles of the target are asked one by one where they lie in the warped source, and
how exactly they can tell. The verdict rests on nothing else.
"""
