"""The question of `bench kernels`, and how polars and duckdb answer it.

Of each channel, a register that is read now and then, once in each quarter-hour, and that rolls over: its value at
each quarter-hour by interpolation, rounded half to even; the consumption between these; the milligrams of CO2e,
rounded half to even; and the trailing sums of them over a day, a week and thirty days. All integers, so all must
agree to the last digit.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from domain.interval import INTERVAL_US

Int64 = npt.NDArray[np.int64]

WIDTHS = (96, 672, 2_880)  # intervals of a day, a week, thirty days
MODULUS_COUNTS = 100_000_000
FACTOR = Fraction(11_407, 2)  # mg of a count of 0.01 kWh: 0.57035 kg/kWh
_COUNTS_A_STEP = 5_000  # fewer than these between two readings, which are at least ten minutes apart


@dataclass(frozen=True, slots=True)
class Question:
    """Readings (channels, intervals + 2): the first before the first interval, the last after the last one."""

    first_us: int
    stamps_us: Int64
    counts: Int64

    @property
    def channels(self) -> int:
        return len(self.counts)

    @property
    def intervals(self) -> int:
        """Of each channel."""
        return len(self.counts[0]) - 2

    def readings(self) -> dict[str, npt.NDArray[Any]]:
        """Columns, by channel and time."""
        numbers = np.arange(self.channels, dtype=np.int32)
        return {
            "channel": np.repeat(numbers, self.intervals + 2),
            "read_at": self.stamps_us.ravel(),
            "reading": self.counts.ravel(),
        }

    def edges(self) -> dict[str, npt.NDArray[Any]]:
        """The edges of every interval of every channel, by channel and time."""
        numbers = np.arange(self.channels, dtype=np.int32)
        own = self.first_us + INTERVAL_US * np.arange(self.intervals + 1)
        return {"channel": np.repeat(numbers, len(own)), "edge": np.tile(own, self.channels)}


@dataclass(frozen=True, slots=True)
class Answer:
    """amounts, mg (channels, intervals); windows the same for each of WIDTHS."""

    amounts: Int64
    mg: Int64
    windows: tuple[Int64, ...]

    def equals(self, other: Answer) -> bool:
        return (
            np.array_equal(self.amounts, other.amounts)
            and np.array_equal(self.mg, other.mg)
            and all(map(np.array_equal, self.windows, other.windows))
        )


def registers(
    channels: int, intervals: int, first_us: int, seed: int, modulus: int = MODULUS_COUNTS
) -> Question:
    """Registers that start anywhere on their dial and count up to 50 kWh between readings."""
    random = np.random.default_rng(seed)
    shape = channels, intervals + 2
    steps = random.integers(0, _COUNTS_A_STEP, shape)
    steps[:, 0] = random.integers(0, modulus, channels)
    quarters = first_us + INTERVAL_US * np.arange(-1, intervals + 1)
    stamps_us = quarters + random.integers(INTERVAL_US // 3, 2 * INTERVAL_US // 3, shape)
    return Question(first_us, stamps_us, np.cumsum(steps, axis=1) % modulus)


class Polars:
    """One lazy query over sorted columns; the edges are given too."""

    name = "polars"

    def __init__(self, question: Question, threads: int) -> None:
        os.environ.setdefault("POLARS_MAX_THREADS", str(threads))  # read when it is imported
        import polars

        self._polars: Any = polars
        self._shape = question.channels, question.intervals
        self._readings = polars.DataFrame(question.readings()).with_columns(
            polars.col("channel").set_sorted()
        )
        self._edges = polars.DataFrame(question.edges()).with_columns(polars.col("channel").set_sorted())

    def ask(self) -> Any:
        col = self._polars.col

        def rounded(top: Any, bottom: Any, base: Any) -> Any:
            """base + top ÷ bottom, half to even."""
            whole = top // bottom
            rest = 2 * (top - whole * bottom)
            is_up = (rest > bottom) | ((rest == bottom) & ((base + whole) % 2 == 1))
            return base + whole + is_up.cast(self._polars.Int64)

        fell = (col("reading").diff() < 0).fill_null(False).cast(self._polars.Int64)
        known = (
            self._readings.lazy()
            .with_columns((col("reading") + MODULUS_COUNTS * fell.cum_sum().over("channel")).alias("count"))
            .with_columns(
                col("read_at").shift(-1).over("channel").alias("next_at"),
                col("count").shift(-1).over("channel").alias("next"),
            )
        )
        between = (col("next") - col("count")) * (col("edge") - col("read_at"))
        return (
            self._edges.lazy()
            .join_asof(known, left_on="edge", right_on="read_at", by="channel", check_sortedness=False)
            .with_columns(rounded(between, col("next_at") - col("read_at"), col("count")).alias("value"))
            .with_columns(col("value").diff().over("channel").alias("amount"))
            .filter(col("amount").is_not_null())
            .with_columns(
                rounded(col("amount") * FACTOR.numerator, FACTOR.denominator, self._polars.lit(0)).alias("mg")
            )
            .with_columns(
                col("mg").rolling_sum(width, min_samples=1).over("channel").alias(f"window_{width}")
                for width in WIDTHS
            )
            .select("channel", "edge", "amount", "mg", *(f"window_{width}" for width in WIDTHS))
            .collect()
        )

    def answer(self, result: Any) -> Answer:
        def column(name: str) -> Int64:
            values: Int64 = result[name].to_numpy()
            return values.reshape(self._shape)

        return Answer(column("amount"), column("mg"), tuple(column(f"window_{width}") for width in WIDTHS))


class DuckDB:
    """Window functions and an ASOF join over tables in memory; its answer is a table too."""

    name = "duckdb"

    def __init__(self, question: Question, threads: int) -> None:
        import duckdb

        self._shape = question.channels, question.intervals
        self._connection: Any = duckdb.connect(config={"threads": threads})
        for name, columns in (("readings", question.readings()), ("edges", question.edges())):
            self._connection.register("given", columns)
            self._connection.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
            self._connection.unregister("given")
        windows = ", ".join(
            f"CAST(sum(mg) OVER (channels ROWS BETWEEN {width - 1} PRECEDING AND CURRENT ROW) AS BIGINT)"
            f" AS window_{width}"
            for width in WIDTHS
        )
        self._query = f"""
            CREATE OR REPLACE TEMP TABLE answer AS
            WITH fallen AS (
                SELECT *, CAST(reading < lag(reading) OVER channels AS BIGINT) AS fell
                FROM readings WINDOW channels AS (PARTITION BY channel ORDER BY read_at)
            ), dials AS (
                SELECT channel, read_at,
                       reading + {MODULUS_COUNTS} * CAST(coalesce(sum(fell) OVER channels, 0) AS BIGINT) AS count
                FROM fallen WINDOW channels AS (PARTITION BY channel ORDER BY read_at)
            ), known AS (
                SELECT *, lead(read_at) OVER channels AS next_at, lead(count) OVER channels AS next
                FROM dials WINDOW channels AS (PARTITION BY channel ORDER BY read_at)
            ), between_them AS (
                SELECT e.channel, e.edge, k.count, k.next_at - k.read_at AS bottom,
                       (k.next - k.count) * (e.edge - k.read_at) AS top
                FROM edges e ASOF JOIN known k ON e.channel = k.channel AND e.edge >= k.read_at
            ), valued AS (
                SELECT channel, edge, {_rounded("top", "bottom", "count")} AS value FROM between_them
            ), amounts AS (
                SELECT channel, edge, value - lag(value) OVER channels AS amount
                FROM valued WINDOW channels AS (PARTITION BY channel ORDER BY edge)
            ), emissions AS (
                SELECT channel, edge, amount,
                       {_rounded(f"(amount * {FACTOR.numerator})", str(FACTOR.denominator), "0")} AS mg
                FROM amounts WHERE amount IS NOT NULL
            )
            SELECT channel, edge, amount, mg, {windows}
            FROM emissions WINDOW channels AS (PARTITION BY channel ORDER BY edge)
        """

    def ask(self) -> None:
        self._connection.execute(self._query)

    def answer(self, _result: None) -> Answer:
        columns = self._connection.execute("SELECT * FROM answer ORDER BY channel, edge").fetchnumpy()

        def column(name: str) -> Int64:
            values: Int64 = np.asarray(columns[name])
            return values.reshape(self._shape)

        return Answer(column("amount"), column("mg"), tuple(column(f"window_{width}") for width in WIDTHS))


def _rounded(top: str, bottom: str, base: str) -> str:
    """SQL of base + top ÷ bottom, half to even, of integers that aren't negative."""
    whole, rest = f"({top} // {bottom})", f"2 * ({top} % {bottom})"
    is_up = f"{rest} > {bottom} OR ({rest} = {bottom} AND ({base} + {whole}) % 2 = 1)"
    return f"{base} + {whole} + CAST({is_up} AS BIGINT)"
