"""Constraints that the database keeps, beyond Django's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement, Table

_INDEX = "CREATE INDEX {name} ON %(table)s ({column}) WHERE {condition}"
_TRIGGER = (
    "CREATE TRIGGER {name} AFTER {event} ON %(table)s WHEN NEW.{condition} BEGIN "
    "SELECT RAISE(ABORT, {fault}) WHERE EXISTS "
    "(SELECT 1 FROM %(table)s WHERE {same} AND {condition} AND {pk} <> NEW.{pk}); END"
)


class UniqueWhere(models.UniqueConstraint):
    """At most one row with the same `fields` has this value in `column`, where another index begins with these fields.

    On PostgreSQL it is a unique index, as rows that two transactions write at once meet nowhere else. SQLite has one
    writer, so two triggers look into the other index there; that costs no second page for each row, of an index in the
    same order. What has that value is found by a small index under the constraint's name.
    """

    def __init__(self, *, fields: Sequence[str], column: str, value: str, name: str) -> None:
        super().__init__(fields=fields, condition=models.Q((column, value)), name=name)
        self.column, self.value = column, value

    def constraint_sql(self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor) -> str | None:  # type: ignore[override]
        if schema_editor.connection.vendor != "sqlite":
            return super().constraint_sql(model, schema_editor)
        schema_editor.deferred_sql += self._statements(model, schema_editor)
        return None

    def create_sql(self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor) -> Any:  # type: ignore[override]
        if schema_editor.connection.vendor != "sqlite":
            return super().create_sql(model, schema_editor)
        *others, last = self._statements(model, schema_editor)
        for statement in others:
            schema_editor.execute(statement)
        return last

    def remove_sql(self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor) -> Any:  # type: ignore[override]
        if schema_editor.connection.vendor == "sqlite":
            for name in self._triggers():
                schema_editor.execute(f"DROP TRIGGER {schema_editor.quote_name(name)}")
        return super().remove_sql(model, schema_editor)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and super().__eq__(other)

    __hash__ = models.UniqueConstraint.__hash__

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        path, arguments, named = super().deconstruct()
        del named["condition"]
        return path, arguments, {**named, "column": self.column, "value": self.value}

    def _triggers(self) -> Sequence[str]:
        return f"{self.name}_insert", f"{self.name}_update"

    def _statements(self, model: type[models.Model], editor: BaseDatabaseSchemaEditor) -> Iterator[Statement]:
        def column(name: str) -> str:
            return editor.quote_name(model._meta.get_field(name).column)  # type: ignore[union-attr, arg-type]

        quote, of_value, same = editor.quote_name, column(self.column), [column(name) for name in self.fields]
        parts = {
            "pk": quote(str(model._meta.pk.column)),
            "column": of_value,
            "condition": f"{of_value} = {editor.quote_value(self.value)}",
            "same": " AND ".join(f"{each} = NEW.{each}" for each in same),
            "fault": editor.quote_value(f"UNIQUE constraint failed: {self.name}"),
        }
        table = model._meta.db_table
        events = "INSERT", f"UPDATE OF {', '.join([of_value, *same])}"
        yield Statement(_INDEX.format(name=quote(self.name), **parts), table=Table(table, quote))
        for name, event in zip(self._triggers(), events, strict=True):
            sql = _TRIGGER.format(name=quote(name), event=event, **parts)
            yield Statement(sql, table=Table(table, quote))
