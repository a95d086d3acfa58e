"""Access terminals (face, fingerprint, QR code) that post their events over HTTP."""
