# Body of the runners with wide registers, which differ in the flags they are compiled with.

from feeds.window_simd cimport (Window, window_load, window_fits, window_misfit, window_value, window_values,
                                window_text, window_is, window_look, window_stops, first_bit, window_quote, head_fits,
                                stencil_fits, stencil_key, find_route)

cdef enum:
    SIMD = 1

include "run.pxi"
include "stencil.pxi"
