"""What is new, wrong, or not a frame: the careful way from bytes to books."""

from feeds.venue import VenueSpec

class Intake:
    """Owns what a pipeline holds and takes what the hot path leaves. Made only as a Pipeline."""

    @property
    def spec(self) -> VenueSpec:
        """Facts of the venue."""
    @property
    def venue(self) -> str:
        """Name of the venue."""
