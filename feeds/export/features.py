"""The features table: numbers of orderbook.analytics at every change of a book, or at moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNITS = {"ns": 1, "us": 10 ** 3, "ms": 10 ** 6, "s": 10 ** 9, "m": 60 * 10 ** 9, "h": 3600 * 10 ** 9}
SUMMED = "ofi"      # the feature that is a sum over the time of a row


def read_every(text: str) -> int:
    """A time between rows as ns: "100ms", "1s"; "update" is 0, a row at every change. Raises: ValueError."""
    number = text.rstrip("".join(UNITS))
    try:
        ns = 0 if text == "update" else round(float(number) * UNITS[text[len(number):]])
        if text == "update" or ns > 0:
            return ns
    except (KeyError, ValueError, OverflowError):
        pass
    raise ValueError(f"expected a time like 100ms, 1s or 5m between rows, or update for every change, not {text!r}")


def feature_dtype(names: Sequence[str]) -> np.dtype[Any]:
    """The dtype of features: float64, and int64 for counts. Raises: ValueError for an unknown one, with near names."""
    from orderbook import analytics

    return analytics.dtype(names)


def measure_of(dtype: np.dtype[Any]) -> Callable[[Any], tuple[Callable[[], None], NDArray[np.uint8]]]:
    """Called with a book: what is to be called when it has changed, and the bytes that are its features then."""
    from orderbook import analytics

    def begin(book: Any) -> tuple[Callable[[], None], NDArray[np.uint8]]:
        out = np.zeros(1, dtype)
        flow = analytics.OrderFlow() if SUMMED in (dtype.names or ()) else None
        return partial(analytics.snapshot, book, out, flow), out.view(np.uint8)

    return begin


def blank_of(dtype: np.dtype[Any]) -> NDArray[np.uint8]:
    """The bytes of features that are not known: nan, and 0 for counts."""
    blank = np.zeros(1, dtype)
    for name in dtype.names or ():
        if dtype[name].kind == "f":
            blank[name] = np.nan
    return blank.view(np.uint8)
