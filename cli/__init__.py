"""The `heng` command."""
