"""The gateway's way to the hub for pictures, recordings and live views: HTTPS, outgoing, beside MQTT."""
