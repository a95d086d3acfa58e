"""Access rights on their way to the gateways: compiled, numbered, pushed, and acknowledged."""
