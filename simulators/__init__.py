"""Devices that speak the real protocols, and the world, faults and scenarios behind them."""
