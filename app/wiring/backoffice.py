"""Whose customers they are: the insurer's, over HTTP, or fictional ones."""

import asyncio
from contextlib import AsyncExitStack

from app.settings import Settings
from app.wiring.providers import Providers
from tools.backoffice import Backoffice
from tools.backoffice_demo import DemoBackoffice
from tools.backoffice_http import HttpBackoffice


async def choose_backoffice(settings: Settings, providers: Providers, stack: AsyncExitStack) -> Backoffice:
    insurance = settings.insurance
    if insurance.api_base_url:
        remote = HttpBackoffice(
            insurance.api_base_url,
            insurance.api_key.get_secret_value(),
            insurance.api_timeout_ms,
            breaker=providers.breakers.of("back office"),
        )
        stack.push_async_callback(remote.close)
        return remote
    if insurance.demo_customers_file:
        return await asyncio.to_thread(DemoBackoffice.load, insurance.demo_customers_file)
    return DemoBackoffice()
