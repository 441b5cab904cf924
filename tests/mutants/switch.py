"""Which mutant is on, and which were reached: seen by C and by Python alike. Stands at the top of the mutants' tree."""

import ctypes
import os
from pathlib import Path

# Global, as the compiled modules look for it in there.
_library = ctypes.CDLL(str(Path(__file__).parent / "build/switch/switch.so"), mode=os.RTLD_GLOBAL | os.RTLD_NOW)
_number = ctypes.c_int.in_dll(_library, "wb_mutant")
wb_reached = (ctypes.c_ubyte * (1 << 14)).in_dll(_library, "wb_reached")
_chosen = 0


def choose(number: int) -> None:
    """Turn a mutant on; 0 is none."""
    global _chosen
    _number.value = _chosen = number


def wb_is(number: int) -> bool:
    wb_reached[number] = 1
    return number == _chosen
