"""What the commands share: errors as one line, and the choice between a terminal and plain lines."""

from __future__ import annotations

import logging
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from feeds.extras import MissingExtra

FAILED, MISUSED, INTERRUPTED = 1, 2, 130        # exit statuses


class CommandError(Exception):
    """A command cannot go on. `str()` is the one line that the user sees; `code` the exit status."""

    def __init__(self, text: str, code: int = FAILED):
        super().__init__(text)
        self.code = code


@contextmanager
def clean_end() -> Iterator[None]:
    """Turn what the user can cause into one line on standard error and an exit status; no traceback."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        # The reader of our output is gone. What is still buffered for it must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from None
    except (ValueError, OSError, TimeoutError, MissingExtra, CommandError) as error:
        complain(str(error) or type(error).__name__)
        raise typer.Exit(getattr(error, "code", FAILED) if isinstance(error, CommandError) else FAILED) from None


def complain(text: str) -> None:
    """One line on standard error."""
    print("wirebook: " + " ".join(text.split()), file=sys.stderr, flush=True)


def read_speed(text: str) -> float:
    """A `--speed`: "max" is infinity. Raises: CommandError."""
    try:
        speed = math.inf if text == "max" else float(text)
    except ValueError:
        speed = math.nan
    if not speed > 0:
        raise CommandError(f"--speed {text}: expected a number above 0, or max", MISUSED)
    return speed


def read_symbols(texts: list[str]) -> list[str]:
    """Symbols that were given one by one or with commas."""
    return [symbol for text in texts for symbol in text.replace(",", " ").split()]


class LastWarning(logging.Handler):
    """Keeps the newest warning of the library, for those who draw on the terminal; prints it where nobody draws."""

    def __init__(self, draws: bool):
        super().__init__(logging.WARNING)
        self.text = ""
        self._draws = draws

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage().splitlines()[0]
        if not self._draws:
            complain(self.text)


@contextmanager
def warnings_kept(draws: bool) -> Iterator[LastWarning]:
    """Route the library's warnings to a `LastWarning` for a while."""
    handler = LastWarning(draws)
    logger = logging.getLogger("feeds")
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
