"""How polars and duckdb answer the question of `bench kernels` (`question`), as someone who knows them would ask.

Both get the readings sorted by channel, stamp and revision, and the edges of the intervals. Rows beside each other are
compared without windows by group where the order allows it; breaks are few and are judged among themselves.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from bench.question import (
    FACTOR,
    LOOK_AHEAD_US,
    MAX_GAP_US,
    MODULUS_COUNTS,
    RATE_COUNTS_PER_HOUR,
    UNKNOWN,
    WIDTHS,
    Answer,
    Int64,
    Question,
)
from domain.interval import HOUR_US


class Polars:
    """Lazy queries over sorted columns: what stands, its few breaks, and everything else in one.

    In memory, since the streaming engine, which is the default from polars 2 on, takes half as long again.
    """

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
        pl = self._polars
        col = pl.col

        def within(rise: Any, elapsed: Any) -> Any:
            return (rise >= 0) & (rise * HOUR_US <= elapsed * RATE_COUNTS_PER_HOUR)

        def rounded(top: Any, bottom: Any, dial: Any) -> Any:
            """top ÷ bottom, half to even on a dial that stands at `dial`."""
            whole = top // bottom
            rest = 2 * (top - whole * bottom)
            return whole + ((rest > bottom) | ((rest == bottom) & ((dial + whole) % 2 == 1))).cast(pl.Int64)

        is_last = (col("read_at") != col("read_at").shift(-1)) | (col("channel") != col("channel").shift(-1))
        same = col("channel") == col("channel").shift(1)
        rise, elapsed = col("reading") - col("reading").shift(1), col("read_at") - col("read_at").shift(1)
        is_break = (same & ~within(rise, elapsed)).fill_null(False)
        standing = (
            self._readings.lazy()
            .filter(is_last.fill_null(True))
            .with_row_index("row")
            .collect(engine="in-memory")
        )
        breaks = standing.lazy().with_columns(
            col("reading").shift(1).alias("good"), col("read_at").shift(1).alias("good_at")
        ).filter(is_break)  # fmt: skip
        later = breaks.select("channel", back="row", back_at="read_at", back_to="reading")
        lies = (
            breaks.join(later, on="channel")
            .filter(
                (col("back_at") > col("read_at"))
                & (col("back_at") <= col("read_at") + LOOK_AHEAD_US)
                & within(col("back_to") - col("good"), col("back_at") - col("good_at"))
            )
            .group_by("row")
            .agg(col("back").min())
            .select(pl.int_ranges("row", "back").alias("row").explode())
            .collect(engine="in-memory")
        )
        # Cumulative over all channels: only differences within one are taken.
        fell, over = rise < 0, rise + MODULUS_COUNTS
        is_over = is_break & fell & within(over, elapsed)
        is_reset = (
            is_break
            & fell
            & ~is_over
            & (col("reading") <= col("reading").shift(1) // 2)
            & within(col("reading"), elapsed)
        )
        jump = (
            pl.when(is_over)
            .then(MODULUS_COUNTS)
            .when(is_reset)
            .then(col("reading").shift(1))
            .when(is_break)
            .then(-rise)
            .otherwise(0)
        )
        is_restart = (is_break & ~is_over & ~is_reset).cast(pl.Int32)
        is_estimate = (is_reset | (same & (elapsed > MAX_GAP_US)).fill_null(False)).cast(pl.Int32)
        has_next = col("channel") == col("channel").shift(-1)
        good = (
            standing.lazy()
            .filter(~col("row").is_in(lies["row"].implode()))
            .with_columns(
                (col("reading") + jump.cum_sum()).alias("total"),
                is_restart.cum_sum().alias("restarts"),
                is_estimate.cum_sum().alias("estimates"),
            )
            .with_columns(
                pl.when(has_next).then(col(name).shift(-1)).alias(f"next_{name}")
                for name in ("read_at", "total", "quality", "restarts", "estimates")
            )
            .select(pl.exclude("row", "revision"))
        )
        is_exact = col("read_at") == col("edge")
        is_known = (is_exact | (col("next_restarts") == col("restarts"))).fill_null(False)
        between = rounded(
            (col("next_total") - col("total")) * (col("edge") - col("read_at")),
            col("next_read_at") - col("read_at"),
            col("reading"),
        )
        at_edges = (
            self._edges.lazy()
            .join_asof(good, left_on="edge", right_on="read_at", by="channel", check_sortedness=False, coalesce=False)
            .select(
                "channel",
                "edge",
                pl.when(is_exact).then(col("total")).when(is_known).then(col("total") + between).alias("value"),
                ((col("quality") != 0) | (~is_exact & (col("next_quality") != 0))).alias("is_capped"),
                is_exact.alias("is_exact"),
                # Ways with a restart or an estimate that end by the edge, and that begin before it.
                col("restarts").alias("restarts_ended"),
                pl.when(is_exact).then(col("restarts")).otherwise(col("next_restarts")).alias("restarts_begun"),
                col("estimates").alias("estimates_ended"),
                pl.when(is_exact).then(col("estimates")).otherwise(col("next_estimates")).alias("estimates_begun"),
            )
        )  # fmt: skip

        def before(name: str) -> Any:
            return col(name).shift(1)

        amount = pl.when(col("restarts_begun") == before("restarts_ended")).then(
            col("value") - before("value")
        )
        is_estimated = (
            col("is_capped") | before("is_capped") | (col("estimates_begun") > before("estimates_ended"))
        )
        return (
            at_edges.with_columns(
                amount.alias("amount"),
                pl.when(amount.is_null())
                .then(0)
                .when(is_estimated)
                .then(1)
                .when(col("is_exact") & before("is_exact"))
                .then(3)
                .otherwise(2)
                .cast(pl.Int8)
                .alias("grade"),
            )
            .filter((col("channel") == before("channel")).fill_null(False))
            .select("channel", "edge", "amount", "grade")
            .with_columns(
                rounded(col("amount") * FACTOR.numerator, pl.lit(FACTOR.denominator), pl.lit(0)).alias("mg")
            )
            .with_columns(
                col("mg").rolling_sum(width, min_samples=1).over("channel").alias(f"window_{width}")
                for width in WIDTHS
            )
            .collect(engine="in-memory")
        )

    def answer(self, result: Any) -> Answer:
        def column(name: str) -> Int64:
            values: Int64 = result[name].fill_null(UNKNOWN).to_numpy()
            return values.reshape(self._shape)

        return Answer(
            column("amount"),
            result["grade"].to_numpy().reshape(self._shape),
            column("mg"),
            tuple(column(f"window_{width}") for width in WIDTHS),
        )


class DuckDB:
    """Window functions, a join of the breaks with themselves and an ASOF join over tables in memory."""

    name = "duckdb"

    def __init__(self, question: Question, threads: int) -> None:
        import duckdb

        self._shape = question.channels, question.intervals
        self._connection: Any = duckdb.connect(config={"threads": threads})
        for name, columns in (("readings", question.readings()), ("edges", question.edges())):
            self._connection.register("given", columns)
            self._connection.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
            self._connection.unregister("given")

    def ask(self) -> None:
        for statement in _STATEMENTS:
            self._connection.execute(statement)

    def answer(self, _result: None) -> Answer:
        columns = self._connection.execute("SELECT * FROM answer ORDER BY channel, edge").fetchnumpy()

        def column(name: str, dtype: Any = np.int64) -> Any:
            return np.ma.filled(columns[name], UNKNOWN).astype(dtype).reshape(self._shape)

        return Answer(
            column("amount"),
            column("grade", np.int8),
            column("mg"),
            tuple(column(f"window_{width}") for width in WIDTHS),
        )


def _within(rise: str, elapsed: str) -> str:
    return f"({rise} >= 0 AND {rise} * {HOUR_US} <= ({elapsed}) * {RATE_COUNTS_PER_HOUR})"


def _rounded(top: str, bottom: str, dial: str) -> str:
    """top ÷ bottom, half to even on a dial that stands at `dial`; integers that aren't negative."""
    whole, rest = f"({top} // {bottom})", f"2 * ({top} % {bottom})"
    is_up = f"{rest} > {bottom} OR ({rest} = {bottom} AND ({dial} + {whole}) % 2 = 1)"
    return f"({whole} + CAST({is_up} AS BIGINT))"


def _statements() -> list[str]:
    by_time = "WINDOW channels AS (PARTITION BY channel ORDER BY read_at)"
    rise, elapsed = "(reading - good)", "(read_at - good_at)"
    windows = ", ".join(
        f"CAST(sum(mg) OVER (channels ROWS BETWEEN {width - 1} PRECEDING AND CURRENT ROW) AS BIGINT)"
        f" AS window_{width}"
        for width in WIDTHS
    )
    running = "OVER (channels ROWS UNBOUNDED PRECEDING)"
    return [
        f"""CREATE OR REPLACE TEMP TABLE standing AS
            WITH stamps AS (
                SELECT *, lead(read_at) OVER (PARTITION BY channel ORDER BY read_at, revision) AS after FROM readings
            )
            SELECT channel, read_at, reading, quality,
                   lag(reading) OVER channels AS good, lag(read_at) OVER channels AS good_at
            FROM stamps WHERE after IS DISTINCT FROM read_at {by_time}""",
        f"""CREATE OR REPLACE TEMP TABLE breaks AS
            SELECT channel, read_at, reading, good, good_at FROM standing
            WHERE good IS NOT NULL AND NOT {_within(rise, elapsed)}""",
        f"""CREATE OR REPLACE TEMP TABLE lies AS
            SELECT b.channel, b.read_at, min(c.read_at) AS back_at
            FROM breaks b JOIN breaks c ON c.channel = b.channel AND c.read_at > b.read_at
                 AND c.read_at <= b.read_at + {LOOK_AHEAD_US}
                 AND {_within("(c.reading - b.good)", "c.read_at - b.good_at")}
            GROUP BY ALL""",
        f"""CREATE OR REPLACE TEMP TABLE good AS
            WITH believed AS (
                SELECT s.channel, s.read_at, s.reading, s.quality
                FROM standing s ANTI JOIN lies l
                     ON l.channel = s.channel AND s.read_at >= l.read_at AND s.read_at < l.back_at
            ), pairs AS (
                SELECT *, lag(reading) OVER channels AS good, lag(read_at) OVER channels AS good_at
                FROM believed {by_time}
            ), judged AS (
                SELECT *, good IS NULL OR {_within(rise, elapsed)} AS goes_on,
                       {_within(f"({rise} + {MODULUS_COUNTS})", elapsed)} AS goes_over,
                       reading <= good // 2 AND {_within("reading", elapsed)} AS goes_back
                FROM pairs
            ), told AS (
                SELECT channel, read_at, reading, quality,
                       CASE WHEN goes_on THEN 0 WHEN reading < good AND goes_over THEN {MODULUS_COUNTS}
                            WHEN goes_back THEN good ELSE good - reading END AS jump,
                       NOT goes_on AND NOT (reading < good AND goes_over) AND NOT goes_back AS is_restart,
                       coalesce({elapsed} > {MAX_GAP_US}, false)
                       OR (NOT goes_on AND NOT (reading < good AND goes_over) AND goes_back) AS is_estimate
                FROM judged
            ), totals AS (
                SELECT channel, read_at, reading, quality,
                       CAST(reading + sum(jump) {running} AS BIGINT) AS total,
                       CAST(sum(CAST(is_restart AS INTEGER)) {running} AS INTEGER) AS restarts,
                       CAST(sum(CAST(is_estimate AS INTEGER)) {running} AS INTEGER) AS estimates
                FROM told {by_time}
            )
            SELECT *, lead(read_at) OVER channels AS next_read_at, lead(total) OVER channels AS next_total,
                   lead(quality) OVER channels AS next_quality, lead(restarts) OVER channels AS next_restarts,
                   lead(estimates) OVER channels AS next_estimates
            FROM totals {by_time}""",
        f"""CREATE OR REPLACE TEMP TABLE answer AS
            WITH at_edges AS (
                SELECT e.channel, e.edge, g.read_at = e.edge AS is_exact,
                       CASE WHEN g.read_at = e.edge THEN total
                            WHEN next_restarts = restarts THEN total + {
            _rounded("((next_total - total) * (edge - read_at))", "(next_read_at - read_at)", "reading")
        } END AS value,
                       quality <> 0 OR (g.read_at <> e.edge AND next_quality <> 0) AS is_capped,
                       restarts, estimates,
                       CASE WHEN g.read_at = e.edge THEN restarts ELSE next_restarts END AS restarts_begun,
                       CASE WHEN g.read_at = e.edge THEN estimates ELSE next_estimates END AS estimates_begun
                FROM edges e ASOF LEFT JOIN good g ON e.channel = g.channel AND e.edge >= g.read_at
            ), amounts AS (
                SELECT channel, edge, row_number() OVER channels AS place,
                       CASE WHEN restarts_begun = lag(restarts) OVER channels
                            THEN value - lag(value) OVER channels END AS amount,
                       is_capped OR lag(is_capped) OVER channels
                       OR estimates_begun > lag(estimates) OVER channels AS is_estimated,
                       is_exact AND lag(is_exact) OVER channels AS is_measured
                FROM at_edges WINDOW channels AS (PARTITION BY channel ORDER BY edge)
            ), emissions AS (
                SELECT channel, edge, amount,
                       CASE WHEN amount IS NULL THEN 0 WHEN is_estimated THEN 1 WHEN is_measured THEN 3 ELSE 2 END
                       AS grade,
                       {_rounded(f"(amount * {FACTOR.numerator})", str(FACTOR.denominator), "0")} AS mg
                FROM amounts WHERE place > 1
            )
            SELECT channel, edge, amount, grade, mg, {windows}
            FROM emissions WINDOW channels AS (PARTITION BY channel ORDER BY edge)""",
    ]


_STATEMENTS = _statements()
