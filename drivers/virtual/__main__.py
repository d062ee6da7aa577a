"""`python -m drivers.virtual`: a virtual pump behind a virtual wand, as a process of its own.

Prints one JSON line when it is ready: {"wand": device path or socket URL, "control": URL or null, "serial"}.
A wrong option, an address in use, an unknown profile or a state file that does not fit: one sentence, exit 2.
Not a cleared medical device; for simulation, training and research.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from drivers.virtual import state as state_file
from drivers.virtual.profiles import ProfileError, load_profile
from drivers.virtual.provision import Provision, ProvisionError, default_provision, load_provision
from drivers.virtual.server import ListenError, Server, entropy_source
from drivers.virtual.state import StateError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m drivers.virtual", description=__doc__.splitlines()[0])
    parser.add_argument("--listen", required=True, help="pty or tcp:HOST:PORT (port 0: any free one)")
    parser.add_argument("--profile", help="pump profile, such as child-20")
    parser.add_argument("--state", type=Path, help="file in which the pump survives a restart")
    parser.add_argument("--provision", type=Path, help="provisioning file (JSON)")
    parser.add_argument("--seed", type=int, help="decide all random bytes (tests only)")
    parser.add_argument("--control", help="tcp:HOST:PORT of the control channel")
    parser.add_argument("--catch-up", action="store_true", help="let the time pass that the process was down")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input closes")
    return parser


def _provision(options: argparse.Namespace) -> Provision:
    """The provisioning file, else what the state file was made with, else a pump nobody is paired with."""
    if options.provision is not None:
        return load_provision(options.provision)
    found = None if options.state is None else state_file.load(options.state)
    if found is not None:
        return found.provision
    seed = hashlib.shake_256(entropy_source(options.seed, "manufacture")(32)).digest(96)
    return default_provision(options.profile or "child-20", seed)


def build(options: argparse.Namespace) -> Server:
    """The server for parsed options. Raises ListenError, ProfileError, ProvisionError, StateError, OSError."""
    provision = _provision(options)
    if options.profile is not None and options.profile != provision.profile:
        load_profile(options.profile)
        raise ProvisionError(f"this pump was provisioned with profile {provision.profile}, not {options.profile}")
    profile = load_profile(provision.profile)
    return Server(
        listen=options.listen,
        control=options.control,
        provision=provision,
        profile=profile,
        seed=options.seed,
        path=options.state,
        catch_up=options.catch_up,
    )


def _end_with_parent() -> None:
    """Wait for the end of standard input, which the starter holds open; then end like on a signal."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _stop(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal ends it: 0; 2 with one sentence if it cannot begin."""
    options = _parser().parse_args(arguments)
    try:
        server = build(options)
    except (ListenError, ProfileError, ProvisionError, StateError) as error:
        print(f"virtual pump: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"virtual pump: {error.strerror or error}: {error.filename or options.state}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _stop)
    try:
        if options.with_parent:
            threading.Thread(target=_end_with_parent, daemon=True).start()
        print(json.dumps(server.ready()), flush=True)
        server.run()
    except KeyboardInterrupt:
        return 0
    except OSError as error:  # nothing that could not be saved was answered
        print(
            f"virtual pump: cannot save its state: {error.strerror or error}; make room and start it again",
            file=sys.stderr,
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
