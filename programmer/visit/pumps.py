"""Pumps on file: pairing material and patient of each pump, kept in the encrypted store, readable while locked."""

import json
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from programmer.visit.desk import PumpOnFile
from protocol.messages import Realm
from protocol.session import Pairing

Hex16 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
META = "pumps"
_REALM = {"simulated": Realm.SIMULATED, "clinical": Realm.CLINICAL}


class PumpCard(BaseModel):
    """One paired pump: keys as hex, the patient's random reference, the salted tag that stands in the log."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    serial: Annotated[str, Field(pattern=r"^[A-Z0-9-]{1,16}$")]
    public: Hex32
    psk: Hex32
    receipt_key: Hex32
    patient: Hex16
    tag: Hex16
    realm: Literal["simulated", "clinical"] = "simulated"

    def pairing(self) -> Pairing:
        """What the secure session needs."""
        return Pairing(self.serial, bytes.fromhex(self.public), bytes.fromhex(self.psk), _REALM[self.realm])

    def on_file(self) -> PumpOnFile:
        """What a visit needs."""
        return PumpOnFile(self.serial, bytes.fromhex(self.receipt_key), self.patient, self.tag)


_CARDS = TypeAdapter(list[PumpCard])


def pack_cards(cards: Iterable[PumpCard]) -> bytes:
    """The cards as bytes for the store."""
    return json.dumps([card.model_dump() for card in cards], sort_keys=True).encode()


def unpack_cards(data: bytes | None) -> list[PumpCard]:
    """The cards of ``pack_cards``; none where nothing is stored."""
    return [] if data is None else _CARDS.validate_json(data)
