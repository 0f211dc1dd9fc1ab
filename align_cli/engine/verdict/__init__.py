"""Is the answer right? The displacement field held against it, and put into words.

``assessment`` asks, in this order: do the images show the same thing (``displacements.evidence``)?
Does another motion explain as much? Is the model sufficient (``sufficiency``)? How exactly is the
transform fixed (``uncertainty``)? Does the target repeat itself? ``messages`` says what speaks
against an answer, ``summary`` gives its figures, ``limits`` holds it to what the user allows.
"""
