"""The runner of learned layouts for x86-64 with AVX2: run_simd.pyx, with a window in one register.

Compiled with flags of its own, so nothing here may be called before the processor was asked (feeds.parser).
"""

from feeds.window_simd cimport (Window, window_load, window_fits, window_misfit, window_value, window_values,
                                window_text, window_is, window_look, window_stops, first_bit, window_quote, head_fits,
                                stencil_fits, stencil_key, find_route)

cdef enum:
    SIMD = 1

include "run.pxi"
include "stencil.pxi"
