"""Watches sessions of remote operation: ends them when a condition falls, and takes receipts in."""
