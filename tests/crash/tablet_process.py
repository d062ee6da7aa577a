"""A tablet that dies: each line on its standard input names a point, and a process of its own is killed there.

The person unlocks once; every change is then made by a child that opens the tablet, reads the pump, proposes the other
dose, checks and signs, and that sends itself signal 9 at the named point. The answer is one JSON line: how it ended.
"""

import json
import os
import signal
import sys
from pathlib import Path

from programmer.identity.users import UserSigner
from programmer.qa.demo_clinic import USERS
from programmer.visit.proposal import Annex, DoseProposal
from programmer.visit.tablet import Tablet

DOSES = (100_000, 115_000)


def die_at(point: str, data: Path, state: Path, url: str, user: UserSigner) -> None:
    """Change the dose; end by signal 9 at ``point``."""

    def probe(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    with Tablet.open(data, state) as tablet:
        shell = tablet.visit(url, probe=probe)
        for chart in tablet.charts(user):
            shell.unlock_patient(chart.ref, chart.key, chart.kid)
        status = shell.read()
        other = DOSES[status.dose_ng_per_day == DOSES[0]]
        program = status.program.model_copy(update={"dose_ng_per_day": other})
        shell.propose(DoseProposal(program, Annex(tablet.library.version)))
        shell.check(user)
        shell.sign_and_send(user)
        shell.read()
        shell.leave()


def main(data: Path, state: Path, url: str) -> None:
    """Unlock, then serve points until the input ends."""
    with Tablet.open(data, state) as tablet:
        user = tablet.identity.unlock(USERS[0].id, USERS[0].secret)
    print(json.dumps({"ready": True}), flush=True)
    while point := sys.stdin.readline().strip():
        child = os.fork()
        if child == 0:
            code = 1
            try:
                die_at(point, data, state, url, user)
                code = 0
            finally:
                sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"ended": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
