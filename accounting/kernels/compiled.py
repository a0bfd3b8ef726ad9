"""The decorator of every kernel: numba, without the interpreter's lock, kept on disk between processes.

No fastmath (it reorders sums), no parallel (several threads call these). Compiling all kernels takes half a
minute, loading them a fraction of a second, hence the cache. numba itself looks only at the file that a
kernel stands in; a kernel takes in those of the other files that it calls, so that the age of a compiled
kernel must be that of all of them: the cache is stamped with a digest of this folder.

On x86 the kernels are compiled for the AVX2 level of 2015 and not for the machine at hand: LLVM 20 to 22, which
numba 0.63 to 0.68 bring, miscompile loops with conditional stores for AVX-512 (llvm-project issue 174871:
X86CompressEVEX takes the wrong lanes of a mask). Kernels are integers, mostly scalar, so little is lost.
`tests/accounting/test_compiled.py` watches.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import llvmlite.binding
import numba
import numpy as np
from numpy.typing import NDArray

# What kernels take and give. A scalar is an int64 or uint64 when compiled, numpy's scalar or Python's int when
# not; so the types here say to a reader what is meant, and the checker leaves arithmetic between them alone.
Int: TypeAlias = Any
UInt: TypeAlias = Any
Int64s: TypeAlias = NDArray[Any]
UInt32s: TypeAlias = NDArray[Any]
UInt16s: TypeAlias = NDArray[Any]
Int32s: TypeAlias = NDArray[Any]
Int16s: TypeAlias = NDArray[Any]
Int8s: TypeAlias = NDArray[Any]
Bools: TypeAlias = NDArray[Any]
Records: TypeAlias = NDArray[Any]  # accounting.channel.READING_DTYPE
Record: TypeAlias = Any  # one of them
int64: Any = np.int64
uint64: Any = np.uint64

F = TypeVar("F", bound=Callable[..., object])


def _choose_target() -> None:
    """Tell numba, before anything is compiled, which processor to compile for."""
    config: Any = numba.config
    features = llvmlite.binding.get_host_cpu_features()
    if platform.machine().lower() in ("x86_64", "amd64") and config.CPU_NAME is None:
        config.CPU_NAME = "x86-64-v3" if features.get("avx2") and features.get("fma") else "x86-64"
        config.CPU_FEATURES = ""


_choose_target()


def _digest_of_sources() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


_SOURCES = _digest_of_sources()


def kernel(function: F) -> F:
    """Compile on the first call (or load from the cache); releases the interpreter's lock while it runs."""
    # error_model numpy: no divisor here can be zero, and the checks cost a tenth of the time
    compiled: Any = numba.njit(nogil=True, error_model="numpy")(function)
    if hasattr(compiled, "enable_caching"):  # it is plain Python under NUMBA_DISABLE_JIT
        try:
            compiled.enable_caching()
        except RuntimeError:  # no folder that this user may write to: compiled at every start, then
            return cast(F, compiled)
        compiled._cache._cache_file._source_stamp = _SOURCES
    return cast(F, compiled)


def is_cached(function: Callable[..., object]) -> bool:
    """Whether a process would load this kernel instead of compiling it. True where nothing is compiled or kept."""
    cache = getattr(function, "_cache", None)
    file = getattr(cache, "_cache_file", None)
    return file is None or bool(file._load_index())
