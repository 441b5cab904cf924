"""The picows release this build fits, checked before anything of picows is called.

The transport calls picows through its C method table. Cython checks the sizes of the objects when it imports them,
never that table: a release with one more method would silently have the wrong one called. So the range is closed,
and the check has to come first, see `picows_version.pxd`.
"""

import re

SUPPORTED = ">=2.3.1,<2.4"
OLDEST = (2, 3, 1)
BELOW = (2, 4)


class Supported:
    """Exists for `feeds.transport` to import: who has it has a picows that fits."""

    __slots__ = ()


def check(version: str) -> None:
    """Raise ImportError, naming both versions, unless `version` ("2.3.1") is in the range this build was made for."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    if not OLDEST <= numbers < BELOW:
        raise ImportError(f"feeds.transport needs picows{SUPPORTED}, but picows {version} is installed")


def installed() -> str:
    """Version of the picows that would be imported; ImportError if there is none."""
    from importlib import import_module

    return str(import_module("picows").__version__)


check(installed())
