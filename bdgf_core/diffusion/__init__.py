"""The denoising diffusion model. Tensors in, tensors out: no files, no rasters."""
