"""The far ends of real protocols, one module per device."""
