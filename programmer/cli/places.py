"""Where a tablet's folders are, and the options that choose them."""

import argparse
import hashlib
import os
from pathlib import Path


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """``--data DIR``."""
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="data folder of the clinic (default: PROGRAMMER_DATA, else your own)"
    )


def data_folder(given: Path | None, realm: str = "clinical") -> Path:
    """The data folder: the option, else ``PROGRAMMER_DATA``, else the platform's place for this realm."""
    if given is not None:
        return given
    if place := os.environ.get("PROGRAMMER_DATA"):
        return Path(place)
    from platformdirs import user_data_path

    return user_data_path("itb-programmer", appauthor=False) / realm


def state_folder(data: Path) -> Path:
    """The state folder that belongs to a data folder: ``PROGRAMMER_STATE``, else the platform's place.

    It never lies in the data folder, so that a copy of the data alone opens nothing.
    """
    if place := os.environ.get("PROGRAMMER_STATE"):
        return Path(place)
    from platformdirs import user_state_path

    label = hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:16]
    return user_state_path("itb-programmer", appauthor=False) / label
