"""Alarms at the hub: what is in alarm, who is told, and how. It follows the feed of batches."""
