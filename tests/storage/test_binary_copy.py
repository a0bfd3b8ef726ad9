"""Whole columns through binary COPY, in and out."""

from __future__ import annotations

import numpy as np
import psycopg
from hypothesis import given
from hypothesis.extra.numpy import arrays

from storage.binary_copy import Column, copy_in, copy_out, encode, packed_out, text_array
from tests.servers import Database


def test_columns_of_every_type_come_back(plain_database: Database) -> None:
    times = np.array([0, 1_700_000_000_123_456, -5])
    bigs = np.array([[1, -2], [3, 4], [2**62, -(2**62)]])
    smalls = np.array([[1, 2, 3], [4, 5, 6], [-7, 8, 32767]], np.int16)
    with psycopg.connect(plain_database.url) as conn:
        conn.execute(
            "CREATE TABLE t (a integer, b bigint[], c smallint[], d timestamptz, e text, f text[], g bigint)"
        )
        columns = [
            Column("a", "int4", np.array([1, 2, -3])),
            Column("b", "int8[]", bigs),
            Column("c", "int2[]", smalls),
            Column("d", "timestamptz", times),
            Column("e", "text", b"kWh"),
            Column("f", "text[]", text_array(["account", "ets"])),
            Column("g", "int8", np.arange(3)),
        ]
        cursor = conn.cursor()
        copy_in(cursor, "t", [columns])
        rows = copy_out(
            cursor,
            "SELECT a, b, c, d, g FROM t WHERE a = ANY(%s) ORDER BY g",
            [
                ("a", "int4", 0),
                ("b", "int8[]", 2),
                ("c", "int2[]", 3),
                ("d", "timestamptz", 0),
                ("g", "int8", 0),
            ],
            [[1, 2, -3]],
        )
        assert rows["a"].tolist() == [1, 2, -3]
        assert (rows["b"] == bigs).all()
        assert (rows["c"] == smalls).all()
        assert rows["d"].tolist() == times.tolist()
        assert conn.execute("SELECT DISTINCT e, f FROM t").fetchall() == [("kWh", ["account", "ets"])]


def test_scalars_come_back_as_one_value(plain_database: Database) -> None:
    columns = [("a", "int2", "a"), ("b", "int4", "b"), ("c", "int8", "c"), ("d", "timestamptz", "d")]
    with psycopg.connect(plain_database.url) as conn:
        conn.execute("CREATE TABLE t (a smallint, b integer, c bigint, d timestamptz)")
        conn.execute(
            "INSERT INTO t VALUES (-1, 2147483647, -9223372036854775808, '1969-12-31T23:59:59.999999Z'),"
            " (32767, -5, 7, '2026-01-01T00:00:00.5Z')"
        )
        cursor = conn.cursor(binary=True)
        rows = packed_out(cursor, columns, "FROM t WHERE b <> %s", [0])
        assert sorted(rows.tolist()) == [(-1, 2**31 - 1, -(2**63), -1), (32767, -5, 7, 1_767_225_600_500_000)]
        assert packed_out(cursor, columns, "FROM t WHERE b = %s", [0]).shape == (0,)


def test_no_rows_come_back_as_an_empty_array(plain_database: Database) -> None:
    with psycopg.connect(plain_database.url) as conn:
        rows = copy_out(conn.cursor(), "SELECT 1::bigint AS a WHERE false", [("a", "int8", 0)])
    assert rows.shape == (0,)


@given(arrays(np.int64, (5, 4)))
def test_an_encoded_row_has_the_length_of_its_fields(values: np.ndarray) -> None:
    assert len(encode([Column("a", "int8[]", values), Column("b", "int2", np.zeros(5, np.int16))])) == 5 * (
        2 + 4 + 20 + 4 * 12 + 4 + 2
    )


def test_text_array_of_one_value_is_read_by_the_server(plain_database: Database) -> None:
    with psycopg.connect(plain_database.url) as conn:
        conn.execute("CREATE TABLE t (a integer, f text[])")
        copy_in(
            conn.cursor(),
            "t",
            [[Column("a", "int4", np.array([1])), Column("f", "text[]", text_array(["排放"]))]],
        )
        assert conn.execute("SELECT f FROM t").fetchone() == (["排放"],)
