"""What the method and its rivals measure on data with known classes; no part of the plugin."""
