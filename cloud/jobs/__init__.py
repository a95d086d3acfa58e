"""What the hub does for jobs by itself: judges what is stored, tells gateways, interlocks across gateways."""
