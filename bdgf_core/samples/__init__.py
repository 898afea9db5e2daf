"""From rasters and labels to training samples: band statistics, patches, splits."""
