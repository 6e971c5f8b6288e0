"""What a sample may be made of, as the gateway has it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

LARGEST = sys.float_info.max


@lru_cache(maxsize=1024)
def is_name(name: str) -> bool:
    """Whether a metric may be called so: any text that is not blank."""
    return is_unicode(name) and name.strip() != ""


@lru_cache(maxsize=1024)
def is_label_name(name: object) -> bool:
    """Whether a label may be called so: any text, but for what Prometheus uses itself."""
    return isinstance(name, str) and name != "" and not name.startswith("__") and is_unicode(name)


def is_unicode(what: str) -> bool:
    """Whether a text has no half of a surrogate pair, which UTF-8 can't write."""
    return what.isascii() or not any("\ud800" <= one <= "\udfff" for one in what)


def finite(value: Any) -> float:
    """Return a number as one that JSON can write."""
    if isinstance(value, (str, bytes)):
        raise TypeError(f"expected a number, got a text: {value[:20]!r}")
    if value.__class__ is not int:
        value = float(value)  # of Decimal, Fraction, bool and numpy's types
    if not -LARGEST <= value <= LARGEST:
        raise ValueError(f"expected a finite number, got {value!r}")
    number: float = value
    return number


def text(value: object) -> str:
    """Return a text that is Unicode."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    as_text = str(value)
    if as_text.isascii():
        return as_text
    # Half a surrogate pair, as in file names that are not UTF-8, has no encoding.
    return as_text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def printable(what: str) -> str:
    """Return what others wrote as one that a terminal can show."""
    return "".join(one if one.isprintable() else "\ufffd" for one in what)


def label_text(value: object) -> str:
    """Return a label's value as the gateway reads it: numbers and booleans as JSON."""
    if type(value) is str:
        return value if value.isascii() else text(value)
    if value is None:
        return ""
    if isinstance(value, str):
        return text(str.__str__(value))  # not the name of a member of an enumeration
    if isinstance(value, (bool, int, float)):
        return json.dumps(value, allow_nan=False)
    return text(value)


def checked_buckets(buckets: Sequence[float]) -> list[float]:
    """Return upper bounds of buckets without the last one, +Inf, which goes without saying."""
    bounds = [bound for bound in map(float, buckets) if bound != float("inf")]
    if not bounds or bounds != sorted(set(map(finite, bounds))):
        raise ValueError(f"expected buckets in increasing order, got {bounds[:5]}")
    return bounds


def checked_quantiles(
    quantiles: Sequence[float] | Mapping[float, float],
) -> dict[str, list[float]]:
    """Return quantiles with their epsilons.

    Where none are given, a tenth of the distance to the nearer end.
    """
    if isinstance(quantiles, Mapping):
        ranks, epsilons = [*map(finite, quantiles)], [*map(finite, quantiles.values())]
    else:
        ranks = [*map(finite, quantiles)]
        epsilons = [round(min(rank, 1 - rank) / 10, 9) for rank in ranks]
    if not all(0 <= number <= 1 for number in ranks + epsilons):
        raise ValueError(f"expected quantiles and epsilons from 0 to 1, got {ranks[:5]}")
    return {"quantiles": ranks, "epsilons": epsilons}


def checked_unit(name: str, unit: str) -> str:
    """Return the unit if the name ends in it."""
    if not name.removesuffix("_total").endswith(f"_{unit}"):
        raise ValueError(f"expected the name to end in _{unit}")
    return unit
