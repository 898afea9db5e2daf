"""The guided group network. Tensors in, tensors out: no files, no rasters."""
