"""Settings that the hub wants: received, staged, checked, tried, watched, kept or rolled back."""
