"""The verdict: is the estimated transform right, according to its displacement field?

``assessment`` tests, in this order: do the images correspond (``displacements.evidence``)? Does
another motion explain as much? Is the model sufficient (``sufficiency``)? How accurate is the
transform (``uncertainty``)? Is the target periodic? ``messages`` words the objections, ``summary``
gives the statistics, ``limits`` applies the user's limits.
"""
