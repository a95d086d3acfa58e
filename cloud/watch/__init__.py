"""Hub-side rules: who is online, which points are silent."""
