"""Identity: keys, certificate authority, key proofs."""
