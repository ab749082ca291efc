"""What has to be so before anything is served: the database as the code knows it, and the static files in place."""

import fcntl
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from common.preflight import Refusal

MIGRATING = 4_207_849_113  # the advisory lock's number on PostgreSQL


def prepare() -> None:
    """Migrate and collect static files, where there is something to do. Several processes may call it at once."""
    with _one_at_a_time():
        _migrate()
        _collect_static()


def migrate() -> None:
    """The database alone, for commands that serve nothing. Several processes may call it at once."""
    with _one_at_a_time():
        _migrate()


def _migrate() -> None:
    """Apply what is missing. Refuses a database that a newer version has migrated further."""
    executor = MigrationExecutor(connection)
    loader = executor.loader
    known = set(loader.disk_migrations)
    known.update(old for migration in loader.disk_migrations.values() for old in migration.replaces)
    unknown = sorted(set(loader.applied_migrations) - known)
    if unknown:
        raise Refusal(
            f"the database is newer than this code (it has {'.'.join(unknown[-1])}). Run the version of Burnline that "
            "migrated it, or choose other data: make run DATA_DIR=..."
        )
    if executor.migration_plan(loader.graph.leaf_nodes()):
        call_command("migrate", interactive=False, verbosity=0)


def _collect_static() -> None:
    """Hash and compress the static files, unless they are as they were the last time."""
    stamp = settings.ENV.data_dir / "static.stamp"
    now = _state_of_static_files()
    if Path(settings.STATIC_ROOT).is_dir() and stamp.is_file() and stamp.read_text() == now:
        return
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(now)


def _state_of_static_files() -> str:
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            stat = Path(storage.path(path)).stat()
            digest.update(f"{path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Among the processes that share this data folder or this PostgreSQL database."""
    with (settings.ENV.data_dir / "preparing.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            connection.ensure_connection()
        except OperationalError as exc:
            reason = str(exc).strip().partition("\n")[0]
            raise Refusal(f"cannot open the database: {reason}. Is it running, is DATABASE_URL right?") from exc
        if connection.vendor != "postgresql":
            yield
            return
        try:
            while not _scalar("SELECT pg_try_advisory_lock(%s)"):
                time.sleep(0.2)
            yield
        finally:
            _scalar("SELECT pg_advisory_unlock(%s)")


def _scalar(sql: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(sql, [MIGRATING])
        (answer,) = cursor.fetchone()
    return bool(answer)
