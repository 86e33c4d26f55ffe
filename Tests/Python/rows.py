"""The rows of a suite: what holds, and what does not; and its last line, which Tests/run reads."""

import collections
import sys
import traceback

tally = collections.Counter()


def check(name):
    """A row; what it returns stands behind it."""
    def run(test):
        try:
            detail = test() or ""
            tally["passed"] += 1
            print(f"  ok   {name}{detail and ' (' + detail + ')'}", flush=True)
            return True
        except Exception as error:
            tally["failed"] += 1
            print(f"  FAIL {name}: {error}", flush=True)
            if not isinstance(error, AssertionError):
                traceback.print_exc(limit=-4, file=sys.stdout)
            return False
    return run


def skip(name):
    tally["skipped"] += 1
    print(f"  skip {name}", flush=True)


def table(title, columns, lines):
    """lines: a name, and a text for each column."""
    widths = [max(len(line[place]) for line in [["", *columns], *lines]) for place in range(len(columns) + 1)]
    print(f"\n  {title}")
    for line in [["", *columns], *lines]:
        print("  " + "  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())
    print(flush=True)


def finish():
    """The last line of the suite, and its exit status."""
    skipped = f", {tally['skipped']} skipped" if tally["skipped"] else ""
    print(f"{tally['passed']} passed, {tally['failed']} failed{skipped}")
    sys.exit(tally["failed"] > 0)
