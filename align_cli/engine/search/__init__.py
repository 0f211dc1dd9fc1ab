"""The search: candidates, one score, one order.

- ``scoring``: how many tiles of a coarse level correlate under a warp.
- ``similarity``: the interface of a similarity measure; ``intensity`` and ``gradient`` implement
  it.
- ``attempt``: a candidate solved from coarse to fine, and its assessment.
- ``loop``: which candidates are scored, which are solved, and which estimate is returned.
- ``sensor``: the search without the fixed pattern of ``cleaned_pair``, if the first may rest on it.
- ``automatic_model`` and ``model_selection``: the simplest model that explains the images.
- ``mirror``: mirrored sources.
- ``answer``: an attempt as an ``Alignment``, with the figures of ``quality``.
"""
