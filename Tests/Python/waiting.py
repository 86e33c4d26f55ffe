"""Waiting for what is to come: a condition that is looked at again and again, until a deadline; and ports to wait at."""

import socket
import time


def wait(what, condition, limit=60, pause=0.05):
    """The first value of a condition that is not nothing. When it is too late, the error has what the condition
    complained of last."""
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
        time.sleep(pause)


taken = set()


def free_port():
    """One that nobody else here gets, whoever begins to listen when."""
    while True:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        if port not in taken:
            taken.add(port)
            return port


def is_listening(port):
    with socket.socket() as one:
        one.settimeout(2)
        return one.connect_ex(("127.0.0.1", port)) == 0
