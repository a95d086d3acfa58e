"""What gateways bring over HTTPS: pictures and recordings are kept, live frames are passed on."""
