"""The provider's algorithms: one file each, over :mod:`.base`."""
