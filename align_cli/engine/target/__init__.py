"""What is computed once of the target: pyramid, planes, chosen pixels, rows enough."""
