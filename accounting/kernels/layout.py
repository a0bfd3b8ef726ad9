"""What kernels and their callers agree on: the columns of a plan, qualities and flags as plain integers.

A *plan* is a point's versions as integers, one row a version in order of time, made by
`accounting.channel_plan`. Consecutive rows of one *dial* are one register: between them only the multiplier
and the limits change, the count goes on. Rows of one *run* touch: where one ends the next begins.
"""

from __future__ import annotations

from domain.interval import INTERVAL_US
from domain.reading import Flag, Quality

FROM = 0  # validity [µs]; both ends take stamps
TO = 1  # FOREVER where it is open
KIND = 2
DIAL = 3
RUN = 4
RESOLUTION_NUMERATOR = 5
RESOLUTION_DENOMINATOR = 6
SCALE = 7  # ledger units of one count
LIMIT = 8  # largest |count| that stands: its amount stays within 2^62
MODULUS = 9  # in counts; 0: none
RATE = 10  # max_rate is RATE ÷ RATE_DIVISOR counts a microsecond; the divisor is one for a dial
RATE_DIVISOR = 11
MAX_GAP = 12  # [µs]; FOREVER: none
LOOK_AHEAD = 13  # [µs] for a break of a reading of this version
HAS_OPENING = 14
OPENING = 15  # count at FROM
HAS_CLOSING = 16
CLOSING = 17  # count at TO
REPLACED = 18  # 1: another meter takes over at FROM
PERIOD_US = 19  # of a delta channel; 0: PERIOD_MONTHS
PERIOD_MONTHS = 20
SNAP = 21
IS_MEAN = 22  # 1: a rate unit without an amount (bar, degC): the interval's mean is the result
COLUMNS = 23

REGISTER, DELTA, RATE_KIND = 0, 1, 2
FOREVER = 1 << 62
NEVER = -(1 << 62)

INTERVAL = INTERVAL_US
HOUR = 4 * INTERVAL_US
DAY = 96 * INTERVAL_US
MINUTE = 60_000_000

MISSING = int(Quality.MISSING)
ESTIMATED = int(Quality.ESTIMATED)
INTERPOLATED = int(Quality.INTERPOLATED)
MEASURED = int(Quality.MEASURED)
OUTSIDE = 4  # better than all: no part of the interval is within validity (yet)

GAP = int(Flag.GAP)
ROLLOVER = int(Flag.ROLLOVER)
RESET = int(Flag.RESET)
RESTART = int(Flag.RESTART)
REPLACED_FLAG = int(Flag.REPLACED)
NEGATIVE = int(Flag.NEGATIVE)
CONFLICT = int(Flag.CONFLICT)
IMPLAUSIBLE = int(Flag.IMPLAUSIBLE)
SUBSTITUTED = int(Flag.SUBSTITUTED)
RECEIPT_TIME = int(Flag.RECEIPT_TIME)
