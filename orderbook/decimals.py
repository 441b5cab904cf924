"""Exact numbers at the Python edge: text, Decimal, int or float to integer units and back."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from numbers import Integral, Real

_LONGEST = 400   # digits and exponent beyond this are no number of a market


def as_parts(value: str | Decimal | int | float) -> tuple[int, int]:
    """A number as (mantissa, decimals), with value = mantissa / 10**decimals and the fewest decimals.

    A float stands for the shortest decimal that reads back as it (0.1 is 1/10).
    Raises: ValueError if `value` is no finite number; TypeError if it is of another kind.
    """
    if isinstance(value, Integral):
        return int(value), 0
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, str):
        try:
            number = Decimal(value)               # exact, whatever the length
        except InvalidOperation as error:
            raise ValueError(f"expected a decimal number, not {value!r}") from error
    elif isinstance(value, Real):
        number = Decimal(repr(float(value)))
    else:
        raise TypeError(f"expected a number, not {type(value).__name__}")
    if not number.is_finite():
        raise ValueError(f"expected a finite number, not {value!r}")
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)              # letters stand for numbers that are not finite
    if abs(exponent) > _LONGEST or len(digits) > _LONGEST:
        raise ValueError(f"expected a number of ordinary size, not {value!r}")
    mantissa = int("".join(map(str, digits)))
    while exponent < 0 and mantissa % 10 == 0:
        mantissa //= 10
        exponent += 1
        if mantissa == 0:
            exponent = 0
    if exponent > 0:
        mantissa *= 10**exponent
        exponent = 0
    return -mantissa if sign else mantissa, -exponent


def as_units(value: str | Decimal | int | float, scale: int) -> int:
    """Units of 10**-scale. Raises ValueError if `value` has more decimals than that."""
    mantissa, decimals = as_parts(value)
    if decimals > scale:
        raise ValueError(f"{value!r} has more than {scale} decimals")
    return mantissa * 10 ** (scale - decimals)


def units_text(units: int, scale: int) -> str:
    """Plain decimal text of `units` * 10**-scale: no exponent, no trailing zeros, "0" for nothing."""
    if scale == 0:
        return str(units)
    digits = str(abs(units)).rjust(scale + 1, "0")
    fraction = digits[-scale:].rstrip("0")
    text = f"{digits[:-scale]}.{fraction}" if fraction else digits[:-scale]
    return f"-{text}" if units < 0 else text


def qty_parts(qty: int, scale: int) -> tuple[int, int]:
    """(digits, decimals) of a quantity as the integer reads give it.

    It is a count of 10**-scale. Where int64 cannot hold that, because a venue writes doubles with 17 digits, it is
    below -2**62 and has decimals of its own: bits 57 to 61, the digits below them.
    """
    if qty >= -(1 << 62):
        return qty, scale
    return qty & ((1 << 57) - 1), (qty >> 57) & 31


def units_decimal(units: int, scale: int) -> Decimal:
    """Exact Decimal of `units` * 10**-scale."""
    return Decimal(units_text(units, scale))
