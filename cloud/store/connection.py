"""What every module of the store calls a connection."""

from typing import Any

import psycopg

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
"""An async connection that returns plain tuples."""
