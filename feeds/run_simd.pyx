"""The runner of learned layouts for x86-64 with SSE4.2; run_scalar.pyx is its twin for any machine.

Compiled with flags of its own, so nothing here may be called before the processor was asked (feeds.parser).
"""

include "run_wide.pxi"
