"""homeassistant.py PROGRAM ROOT NAME VERSION PROTOCOL FOLDER: what a real Home Assistant makes of limpet.

ROOT: the chroot that `core` made; NAME: the core there. FOLDER: /srv of the chroot, as it is seen here. The last line
is "N passed, N failed". Each check goes on from where the one before it has left things.
"""

import pathlib
import signal
import sys
import traceback

sys.path.append(str(pathlib.Path(__file__).parent.parent / "Python"))
import described
import handover
import living
import outputs
import tables
from rows import finish, tally
from scene import boards, broker, check, descriptions, home, name, old, program, root, witness


try:
    described.rows()
    outputs.rows()
    handover.rows()
    living.rows()
    for row in tables.rows(root, name, program, old, lambda: [
            one for board in boards.values() for one in descriptions(board)]):
        check(row.__doc__)(row)
except Exception:
    tally["failed"] += 1
    traceback.print_exc(file=sys.stdout)
finally:
    for board in boards.values():
        board.end(signal.SIGKILL)
    home.stop()
    witness.stop()
    broker.end()
finish()
