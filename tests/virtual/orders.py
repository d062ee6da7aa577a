"""A pump's firmware asked directly, without a wire: present, stage, read back, sign, commit."""

from dataclasses import replace

from drivers.virtual.firmware import Firmware
from drivers.virtual.pump import Arrived, Asked, Reply
from protocol.messages import Commit, Message, Present, ReadBack, ReadBackReport, Realm, Staged, StageProgram
from protocol.order import Content, Order, sign
from tests.credentials import ed_public
from tests.virtual.clinic import (
    CREDENTIAL,
    PHYSICIAN,
    START_MS,
    START_S,
    TABLET,
    key,
    program,
    provision,
    tablet_credential,
    tx_named,
)

HASH, HEAD, ANNEX = key("handshake"), key("head")[:16], key("annex")
TABLET_POSITION = 2


class Pump:
    """One pump in one session; ``ms`` is the time since its manufacture."""

    def __init__(self, *, shown: bool = True, **changes: object) -> None:
        made = provision(**changes)
        self.firmware = Firmware(made.identity())
        self.state = self.firmware.manufacture(clock_ms=START_MS, program=made.first_program(), fill_nl=made.fill_nl)
        self.ms = 0
        self._step(Arrived(TABLET, HASH))
        if shown:
            self.present(tablet_credential(START_S), TABLET_POSITION)

    def _step(self, event: Arrived | Asked) -> list[Message]:
        self.state, out = self.firmware.step(self.state, event, self.ms, START_MS + self.ms)
        return [item.message for item in out if isinstance(item, Reply)]

    def ask(self, message: Message) -> Message:
        (reply,) = self._step(Asked(message, bytes(range(32))))
        return reply

    def present(self, credential: bytes, position: int = 0) -> Message:
        return self.ask(Present(position=position, credential=credential))

    @property
    def dose(self) -> int:
        return self.firmware.running(self.state).dose_ng_per_day

    def staged(self, name: str = "order", dose: int = 115_000) -> tuple[Staged, Order]:
        """A proposal that was read back, and the order as a tablet builds it."""
        txid, epoch = tx_named(name), self.state.participant.memory.epoch
        stage = StageProgram(txid=txid, base_epoch=epoch, program=program(dose), annex=ANNEX)
        running = self.firmware.running(self.state)
        staged = self.ask(stage)
        assert isinstance(staged, Staged), staged
        held = self.ask(ReadBack(txid=txid))
        assert isinstance(held, ReadBackReport)
        identity = self.firmware.identity
        return staged, Order(
            Realm.SIMULATED, identity.serial, txid, staged.token, Content.of(stage, running), held.previous_digest,
            epoch + 1, ANNEX, held.staged_at_s, HASH, HEAD,
        )  # fmt: skip

    def commit(self, staged: Staged, order: Order, *seeds: bytes) -> Message:
        """COMMIT of what is staged, with the signatures of these persons on ``order``."""
        signatures = tuple(
            sign(seed, order.bytes_for(position, ed_public(seed))) for position, seed in enumerate(seeds)
        )
        return self.send(staged, signatures)

    def send(self, staged: Staged, signatures: tuple[bytes, ...]) -> Message:
        return self.ask(
            Commit(txid=staged.txid, token=staged.token, digest=staged.digest, head=HEAD, signatures=signatures)
        )


def with_author(seed: bytes = PHYSICIAN, **changes: object) -> Pump:
    """A pump to which this person's credential was shown."""
    pump = Pump(**changes)  # type: ignore[arg-type]
    pump.present(CREDENTIAL[seed])
    return pump


def altered(order: Order) -> dict[str, Order]:
    """The order with one field changed, for every field."""
    content = replace(order.content, program=program(116_000))
    return {
        "realm": replace(order, realm=Realm.CLINICAL),
        "serial": replace(order, serial="VP-0008"),
        "txid": replace(order, txid=tx_named("another")),
        "token": replace(order, token=bytes(8)),
        "content": replace(order, content=content),
        "previous_digest": replace(order, previous_digest=bytes(32)),
        "epoch": replace(order, epoch=order.epoch + 1),
        "annex": replace(order, annex=bytes(32)),
        "staged_at_s": replace(order, staged_at_s=order.staged_at_s + 1),
        "handshake_hash": replace(order, handshake_hash=bytes(32)),
        "head": replace(order, head=bytes(16)),
    }
