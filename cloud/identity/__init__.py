"""Who asks, and whether they may: sign-in, sessions, tokens, acts on people, the audit of all of it."""
