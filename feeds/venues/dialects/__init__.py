"""How simulated venues write: what the simulator sends in a venue's name stands here, by venue. It keeps no state."""

from feeds.venues.dialects.binance import (
    DIALECTS,
    FORMS,
    Dialect,
    ack,
    exchange_info,
    instruments,
    levels_text,
    request_error,
    rest_error,
    split_stream,
    stream_class,
)

SHOWN = "binance_usdm"      # what a demonstration shows if nothing else is asked for

__all__ = ["DIALECTS", "FORMS", "SHOWN", "Dialect", "ack", "exchange_info", "instruments", "levels_text",
           "request_error", "rest_error", "split_stream", "stream_class"]
