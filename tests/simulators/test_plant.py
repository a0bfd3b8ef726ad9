"""The committed copy of the real year, and its replay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.resources import files

import numpy as np
import pytest

from domain.interval import INTERVAL_US, from_us
from simulators import plant
from simulators.plant import OPENING_COUNTS, Plant, usage_counts


def test_the_year_is_whole_and_exact() -> None:
    counts = usage_counts()
    assert len(counts) == plant.INTERVALS == 35_040
    assert Decimal(int(counts.sum())) / 100 == Decimal("959636.71")
    assert int(counts.sum()) == plant.TOTAL_COUNTS
    # the first and the last rows of the source: 3.17, 4, 3.24, 3.31 … 3.78, 3.78, 3.67 kWh
    assert counts[:4].tolist() == [317, 400, 324, 331]
    assert counts[-3:].tolist() == [378, 378, 367]
    assert counts.min() == 0
    assert counts.max() == 15_718


def test_the_attribution_travels_with_it() -> None:
    text = (files("simulators") / "data" / "ATTRIBUTION.md").read_text(encoding="utf-8")
    for word in ("Sathishkumar", "10.24432/C52G8C", "CC BY 4.0", "959,636.71"):
        assert word in text
    assert len((files("simulators") / "data" / "steel_plant_2018.xz").read_bytes()) < 200_000


def test_the_replay_ends_with_the_last_quarter_hour_and_begins_a_year_before() -> None:
    now = int(datetime(2026, 11, 23, 17, 2, 18, tzinfo=UTC).timestamp()) * 1_000_000
    replay = Plant.ending_at(now)
    assert from_us(replay.end_us) == datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
    assert from_us(replay.start_us) == from_us(replay.end_us) - timedelta(days=365)
    stamps, counts = replay.stamps_us(), replay.register_counts()
    assert len(stamps) == len(counts) == 35_041
    assert (np.diff(stamps) == INTERVAL_US).all()
    assert (stamps[0], stamps[-1]) == (replay.start_us, replay.end_us)
    assert counts[0] == OPENING_COUNTS
    assert np.array_equal(np.diff(counts), usage_counts())
    # the source's own first moment, moved by the shift
    source = datetime(2017, 12, 31, 15, 0, tzinfo=UTC)
    assert from_us(replay.start_us - replay.shift_us) == source
    assert replay.shift_us % INTERVAL_US == 0


def test_a_year_that_ends_between_quarter_hours_is_refused() -> None:
    with pytest.raises(ValueError, match="quarter-hour"):
        Plant(1)
