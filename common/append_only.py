"""Triggers that make a table append-only on both databases: UPDATE, DELETE and TRUNCATE are refused by the database."""

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

MESSAGE = "append-only: what was written here is never changed"


def protect(editor: BaseDatabaseSchemaEditor, table: str) -> None:
    """Refuse every later change of a row of `table`."""
    if editor.connection.vendor == "postgresql":
        editor.execute(
            "CREATE OR REPLACE FUNCTION burnline_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'restrict_violation'; END $$"
        )
        editor.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION burnline_append_only()"
        )
        editor.execute(
            f"CREATE TRIGGER {table}_append_only_all BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION burnline_append_only()"
        )
        return
    for act in ("update", "delete"):
        editor.execute(
            f"CREATE TRIGGER {table}_append_only_{act} BEFORE {act.upper()} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
        )


def unprotect(editor: BaseDatabaseSchemaEditor, table: str) -> None:
    """Take the triggers away: for a migration backwards, and for tests that empty the database."""
    if editor.connection.vendor == "postgresql":
        editor.execute(f"DROP TRIGGER IF EXISTS {table}_append_only ON {table}")
        editor.execute(f"DROP TRIGGER IF EXISTS {table}_append_only_all ON {table}")
        return
    for act in ("update", "delete"):
        editor.execute(f"DROP TRIGGER IF EXISTS {table}_append_only_{act}")
