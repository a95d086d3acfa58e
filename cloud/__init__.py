"""The hub: ingest, store, watch, api and web."""
