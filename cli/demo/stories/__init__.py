"""What may happen in the demo: each scenario is played against a running one and says what it sees."""
