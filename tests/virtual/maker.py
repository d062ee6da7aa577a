"""The maker of the simulated pumps: a key that everybody may know, for data of the simulation and nothing else.

``python -m tests.virtual.maker`` signs the profiles that come with the virtual pump.
"""

import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from drivers.virtual import signed_file
from protocol.order import sign

SEED = hashlib.sha256(b"maker of simulated pumps, test key").digest()
PUBLIC = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
FOLDER = Path(signed_file.__file__).parent / "profiles"


def signature(raw):
    return sign(SEED, signed_file.signed_bytes(raw))


if __name__ == "__main__":
    for path in FOLDER.rglob("*.toml"):
        path.with_name(path.name + ".sig").write_bytes(signature(path.read_bytes()))
