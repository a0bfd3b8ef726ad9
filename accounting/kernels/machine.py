"""What the machine can do and numba has no word for: bits as they are, and stores past the caches.

Each is a function of Python, and what it compiles to: so kernels also run where nothing is compiled
(NUMBA_DISABLE_JIT=1).
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from accounting.kernels.compiled import Int, kernel

BIAS = 0x4338_0000_0000_0000
BIASED = 6_755_399_441_055_744.0  # 1.5 × 2^52, which BIAS are the bits of
LINE = 32  # bytes of one store, aligned to as many


def _compiled(python: Any, typing: Any) -> Any:
    """The function, or while compiling what `typing` makes of its arguments' types (`numba.extending.intrinsic`)."""
    config: Any = numba.config
    return python if config.DISABLE_JIT else intrinsic(typing)


def _float_of_bits(bits: Int) -> Any:
    return np.int64(bits).view(np.float64)


def _float_of_bits_typed(_context: Any, _bits: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        return builder.bitcast(given[0], ir.DoubleType())

    return types.float64(types.int64), generate


def _bits_of_float(value: Any) -> Int:
    return np.float64(value).view(np.int64)


def _bits_of_float_typed(_context: Any, _value: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        return builder.bitcast(given[0], ir.IntType(64))

    return types.int64(types.float64), generate


def _store_line(source: Any, target: Any, place: Int) -> None:
    lanes = LINE // target.itemsize
    target[place : place + lanes] = source[place : place + lanes]


def _store_line_typed(_context: Any, source: Any, target: Any, place: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        pointers = []
        for array, value in zip(signature.args[:2], given[:2], strict=True):
            item = context.get_data_type(array.dtype)
            line = ir.VectorType(item, LINE // (array.dtype.bitwidth // 8)).as_pointer()
            data = context.make_array(array)(context, builder, value).data
            pointers.append(builder.bitcast(builder.gep(data, [given[2]]), line))
        store = builder.store(builder.load(pointers[0], align=1), pointers[1], align=LINE)
        store.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))
        return context.get_dummy_value()

    return types.void(source, target, place), generate


def _fence() -> None:
    return


def _fence_typed(_context: Any) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, _given: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


# An int64's bits as a float, and back.
float_of_bits = _compiled(_float_of_bits, _float_of_bits_typed)
bits_of_float = _compiled(_bits_of_float, _bits_of_float_typed)
# target[place:] = source[place:] for one line, which target[place] is aligned to; past the caches.
store_line = _compiled(_store_line, _store_line_typed)
# What was stored past the caches is there for other threads.
fence = _compiled(_fence, _fence_typed)


@kernel
def as_float(value: Int) -> Any:
    """The float of an integer within ±2^51: added to these bits it is that of its value plus BIASED.

    AVX2 has no instruction for it, nor for the way back; additions are made into vectors.
    """
    return float_of_bits(value + BIAS) - BIASED


@kernel
def as_integer(value: Any) -> Int:
    """The integer of a whole float within ±2^51."""
    return bits_of_float(value + BIASED) - BIAS


@kernel
def stream(source: Any, target: Any) -> None:
    """target[:] = source, integers of one type and number, past the caches.

    For what nobody reads soon: a line isn't fetched before it is overwritten, which halves what stores move, and what
    is at work stays in the caches. `settle` follows before another thread reads.
    """
    size = target.size
    lanes = LINE // target.itemsize
    head = min(size, (-(target.ctypes.data // target.itemsize)) % lanes)
    for i in range(head):
        target[i] = source[i]
    tail = size - (size - head) % lanes
    for i in range(head, tail, lanes):
        store_line(source, target, i)
    for i in range(tail, size):
        target[i] = source[i]


@kernel
def settle() -> None:
    """Let what was streamed be there for other threads."""
    fence()
