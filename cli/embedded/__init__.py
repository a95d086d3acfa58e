"""Private PostgreSQL and Mosquitto under our own supervision."""
