"""What is computed once of the target: pyramid, planes, selected pixels, row subsampling."""
