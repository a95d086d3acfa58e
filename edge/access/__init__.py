"""Doors and equipment of the gateway: who may pass and work, decided on site with hub and broker dead."""
