"""One folder per device protocol."""
