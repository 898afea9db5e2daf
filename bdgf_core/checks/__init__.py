"""What is wrong with the rasters and labels of a job, found in a sample and told with its mend. NumPy, no torch."""
