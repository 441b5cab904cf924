"""The runner of learned layouts for x86-64 with AVX2: run_simd.pyx, with a window in one register.

Compiled with flags of its own, so nothing here may be called before the processor was asked (feeds.parser).
"""

include "run_wide.pxi"
