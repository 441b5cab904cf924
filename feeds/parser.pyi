"""The parser a venue overrides in Cython, and the choice of the runner of learned layouts."""

class Runner:
    """A compiled runner of learned layouts."""

    @property
    def simd(self) -> bool:
        """Whether it uses SIMD instructions."""

class Parser:
    """One venue's messages; its methods are C methods, which a venue's cdef class overrides."""

    @property
    def market(self) -> int:
        """Index into `VenueSpec.markets` of what frames that do not tell belong to."""

    memory: bytes
    """What frames have told that later ones need; for checkpoints."""

def runners() -> list[str]:
    """The modules of all runners that this processor can take, the fastest first."""

def best_runner(simd: bool = True) -> Runner:
    """The fastest runner this processor can take; `simd=False` gives the scalar twin."""
