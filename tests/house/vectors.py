"""The golden vectors in ``protocol/vectors``; ``python -m tests.house.vectors`` writes them anew from fixed inputs."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from tests.house import vector_messages, vector_orders, vector_session, vector_transactions, vector_wire

FOLDER = Path(__file__).resolve().parents[2] / "protocol" / "vectors"
FILES: Final[Mapping[str, Callable[[], dict[str, Any]]]] = MappingProxyType(
    {
        "framing": vector_wire.framing,
        "link": vector_wire.link,
        "wand": vector_wire.wand,
        "cbor": vector_wire.cbor,
        "parts": vector_messages.parts,
        "messages": vector_messages.messages,
        "refusals": vector_messages.refusals,
        "hello": vector_session.hello,
        "handshakes": vector_session.handshakes,
        "sealed": vector_session.sealed,
        "orders": vector_orders.orders,
        "receipts": vector_orders.receipts,
        "credentials": vector_orders.credentials,
        "transactions": vector_transactions.transactions,
    }
)
"""Name of each file and what makes it."""


def text(name: str) -> str:
    """What stands in a file."""
    return json.dumps({"schema": f"pump-vectors/{name}/1", **FILES[name]()}, indent=1, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in FILES:
        (FOLDER / f"{each}.json").write_text(text(each), encoding="utf-8")
