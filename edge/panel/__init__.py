"""The panel: a page that the gateway itself serves for a small screen beside the door."""
