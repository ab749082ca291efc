"""What SQLite's planner knows of the tables; PostgreSQL's learns by itself."""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction

ROWS = 1000  # of an index, that are looked at


def learn(*, now: datetime) -> None:
    """Have it look again at how much there is of what. Takes milliseconds, whatever the size. Other connections read
    what was found when the schema changes: so what was known is dropped before."""
    if connection.vendor == "sqlite":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS sqlite_stat1")
            cursor.execute(f"PRAGMA analysis_limit = {ROWS}")
            cursor.execute("ANALYZE")
