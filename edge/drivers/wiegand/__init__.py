"""Card readers with the two-wire Wiegand interface, on the board's pins."""
