"""A contract refuses what does not keep it, by naming the columns and nobody's data."""

import pytest
from pyspark.sql.types import LongType, StringType

from schemas.contract import Column, Confidentiality, Contract
from schemas.errors import ContractError

VISITS = Contract(
    name="visits",
    grain="one row per visitor and zone",
    key=("visitor", "zone"),
    columns=(
        Column("visitor", LongType(), "Who."),
        Column("zone", StringType(), "Where."),
        Column("note", StringType(), "Anything.", nullable=True),
    ),
    confidentiality=Confidentiality.CONFIDENTIAL,
)


def rows(session, *values, schema="visitor bigint, zone string, note string"):
    return session.createDataFrame(list(values), schema)


def test_conform_puts_the_columns_in_order_and_leaves_others_out(sail):
    table = rows(sail, ("x", 1, None, True), schema="zone string, visitor bigint, note string, more boolean")

    assert VISITS.conform(table).columns == ["visitor", "zone", "note"]


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ("visitor int, zone string, note string", "column visitor is int and not bigint"),
        ("visitor bigint, note string", "column zone is missing"),
    ],
)
def test_conform_refuses_another_type_or_a_missing_column_and_never_casts(sail, schema, found):
    with pytest.raises(ContractError, match=f"{found}.*Expected: the columns visitor, zone, note"):
        VISITS.conform(rows(sail, schema=schema))


def test_check_accepts_a_table_that_keeps_its_contract(engine):
    VISITS.check(rows(engine, (1, "a", None), (1, "b", "x"), (2, "a", None)))


def test_check_refuses_a_missing_value_by_its_column(engine):
    with pytest.raises(ContractError, match="missing values in zone"):
        VISITS.check(rows(engine, (1, None, None)))


def test_check_refuses_a_key_that_stands_twice_without_telling_which(engine):
    with pytest.raises(ContractError, match="share a key") as caught:
        VISITS.check(rows(engine, (77, "a", None), (77, "a", "x")))
    assert "77" not in str(caught.value)


@pytest.mark.parametrize(("key", "names"), [(("visitor",), ("visitor", "visitor")), (("nobody",), ("visitor", "zone"))])
def test_a_contract_that_contradicts_itself_cannot_be_made(key, names):
    columns = tuple(Column(name, LongType(), "Any.") for name in names)
    with pytest.raises(ContractError):
        Contract("any", "one row", key, columns, Confidentiality.PUBLIC)
