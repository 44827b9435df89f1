"""An operator's side of the trunk, with which an Asterisk of its own registers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from tests.asterisk import sip
from tests.asterisk.conftest import NOBODY
from tests.asterisk.debian import installed
from tests.asterisk.host import TRUNK, Asterisk, fresh_environment, running
from tests.asterisk.sip import Address


class Registrar(asyncio.DatagramProtocol):
    """A trunk that takes registrations with the right password, and says who came."""

    REALM, NONCE = "trunk.example", "f84f1cec41e6cbe5aea9c8e88d359"

    def __init__(self, password: str) -> None:
        self.registered: asyncio.Future[sip.Message] = asyncio.get_running_loop().create_future()
        self.refused = 0
        self._password = password

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        request = sip.parse(data)
        echoed = [(name, request.first(name)) for name in ("Via", "From", "To", "Call-ID", "CSeq")]
        if request.method != "REGISTER" or self._proven(request):
            answer = sip.compose("SIP/2.0 200 OK", [*echoed, ("Contact", request.first("Contact"))])
            if request.method == "REGISTER" and not self.registered.done():
                self.registered.set_result(request)
        else:
            self.refused += 1
            challenge = f'Digest realm="{self.REALM}", nonce="{self.NONCE}", algorithm=MD5, qop="auth"'
            answer = sip.compose("SIP/2.0 401 Unauthorized", [*echoed, ("WWW-Authenticate", challenge)])
        self._transport.sendto(answer, addr)

    def _proven(self, request: sip.Message) -> bool:
        parts = sip.challenge_of(request.first("Authorization"))
        if not parts:
            return False
        return parts["response"] == sip.response_to(parts, "REGISTER", self._password)


@asynccontextmanager
async def an_asterisk_at(trunk_password: str, **settings: str) -> AsyncIterator[tuple[Asterisk, Registrar]]:
    """An Asterisk of its own, and the trunk it registers with."""
    environment = fresh_environment(NOBODY) | {"TRUNK_KIND": "registered"} | settings
    address = (TRUNK, int(environment["TRUNK_HOST"].split(":")[1]))
    registrar = Registrar(trunk_password)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: registrar, local_addr=address)
    with (
        TemporaryDirectory(prefix="asterisk-") as folder,
        running(installed(), Path(folder) / "a", environment) as asterisk,
    ):
        yield asterisk, registrar
    transport.close()
