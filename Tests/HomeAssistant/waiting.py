"""Waiting for what is to come: a condition that is looked at again and again, until a deadline."""

import time


def wait(what, condition, limit=60):
    """The first value of a condition that is not nothing. What it complains of is told when it is too late."""
    end = time.monotonic() + limit
    while True:
        problem = ""
        try:
            value = condition()
            if value:
                return value
        except (AssertionError, LookupError, OSError) as error:
            problem = f" ({error})"
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {what}{problem}")
        time.sleep(0.05)
