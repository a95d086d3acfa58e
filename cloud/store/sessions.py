"""Ends sessions of the database, for tests and fault campaigns; reads and writes no table."""

from typing import Any

from psycopg import AsyncConnection

Connection = AsyncConnection[Any]

_END_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


async def end_other_sessions(connection: Connection) -> int:
    """Cut every other session of this database that the role may cut; return how many."""
    return (await connection.execute(_END_OTHERS)).rowcount
