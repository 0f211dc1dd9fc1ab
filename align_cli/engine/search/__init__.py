"""The search: candidates, one score, one order.

- ``scoring``: how many tiles of a coarse level agree under a warp.
- ``similarity``: what a kind of comparison offers to the search; ``intensity`` and ``gradient`` are
  the two kinds.
- ``attempt``: a candidate solved to the end, and what is to be thought of it.
- ``loop``: which candidates are scored, which are solved, and which answer is given.
"""
