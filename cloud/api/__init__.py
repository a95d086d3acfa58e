"""HTTP and JSON: translates requests to functions of the store."""
