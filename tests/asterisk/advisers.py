"""Advisers at their telephones, registered as in service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.asterisk.host import ADVISERS, Asterisk
from tests.asterisk.phone import Phone


@asynccontextmanager
async def adviser_at_work(asterisk: Asterisk, extension: str = "201") -> AsyncIterator[Phone]:
    """An adviser's phone, registered with the password of the environment."""
    password = asterisk.environment[f"ADVISER_{extension}_PASSWORD"]
    async with Phone.at(ADVISERS, extension) as phone:
        await phone.register(password, asterisk.sip_address)
        try:
            yield phone
        finally:
            await phone.register(password, asterisk.sip_address, for_s=0)
