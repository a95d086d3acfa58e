"""What devices on the gateway's own LAN send by themselves: a small HTTP server and who may use it."""
