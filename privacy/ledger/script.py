"""The ledger's tables as SQL, for the people who run the PostgreSQL server."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import create_mock_engine
from sqlalchemy.dialects import postgresql

from privacy.ledger.tables import METADATA

_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy annotates no dialect's constructor


def postgresql_script(role: str) -> str:
    """SQL that makes an empty ledger, owned by who runs it, and lets another role read it and add to it, no more.

    Args:
        role: The role that Whimbrel connects as. It must not own the tables: an owner can drop their triggers.
    """
    return "".join(f"{statement};\n" for statement in (*_tables(), *_grants(role)))


def _tables() -> Iterator[str]:
    made: list[str] = []

    def note(statement: Any, *_: object, **__: object) -> None:  # noqa: ANN401  # any executable of SQLAlchemy
        made.append(str(statement.compile(dialect=_DIALECT)).strip())

    METADATA.create_all(create_mock_engine("postgresql+psycopg://", note), checkfirst=False)
    yield from made


def _grants(role: str) -> Iterator[str]:
    quoted = _DIALECT.identifier_preparer.quote(role)
    for table in METADATA.sorted_tables:
        yield f"REVOKE ALL ON {table.name} FROM PUBLIC"
        yield f"GRANT SELECT, INSERT ON {table.name} TO {quoted}"
