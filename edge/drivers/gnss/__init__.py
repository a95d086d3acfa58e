"""GNSS receivers through gpsd: fixes, motion, satellites and time."""
