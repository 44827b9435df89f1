"""Which language models and which knowledge, and what is said when they cannot be had."""

from contextlib import AsyncExitStack

import pytest
from pydantic import SecretStr

from app.settings import Settings
from app.wiring import open_mind
from app.wiring.faculties import choose_model
from app.wiring.providers import Providers
from knowledge.retriever import KnowledgeUnavailable
from tests.app.wiring.settings_of_a_test import changed


async def chosen_model(settings: Settings) -> str | None:
    async with AsyncExitStack() as stack:
        model = await choose_model(settings, Providers.watched_by(), stack)
        return model.name if model is not None else None


async def test_with_a_groq_key_two_language_models_stand_one_behind_the_other(settings: Settings) -> None:
    keyed = changed(settings, "groq", api_key=SecretStr("gsk"))
    assert await chosen_model(keyed) == "groq:openai/gpt-oss-120b, then groq:openai/gpt-oss-20b"
    assert await chosen_model(changed(keyed, "groq", llm_fallback_model="")) == "groq:openai/gpt-oss-120b"


async def test_without_a_key_or_without_a_name_there_is_no_language_model(settings: Settings) -> None:
    assert await chosen_model(settings) is None
    assert await chosen_model(changed(settings, "groq", api_key=SecretStr("gsk"), llm_model="")) is None


async def test_a_knowledge_server_that_is_away_is_said_at_the_start(settings: Settings) -> None:
    with pytest.raises(KnowledgeUnavailable):
        async with open_mind(changed(settings, "knowledge", host="127.0.0.1", port=9)):
            pass
