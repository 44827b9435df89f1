"""What understands and what knows: language models, the classifier of intents, the search over the FAQ."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from langchain_core.embeddings import Embeddings

from app.settings import Settings
from app.wiring.providers import Providers
from knowledge.answer_writer import AnswerWriter
from knowledge.documents import read_folder
from knowledge.embeddings import EmbeddingsUnavailable, load_embeddings
from knowledge.intents import IntentClassifier, LocalIntentClassifier
from knowledge.llm import LanguageModel
from knowledge.llm_chain import FallbackModel
from knowledge.qdrant_retriever import QdrantRetriever
from knowledge.retriever import Retriever
from knowledge.understanding import Understanding
from memory.provider_news import nobody
from nodes.faq import Faq
from prompts import load as load_words

if TYPE_CHECKING:  # imported when chosen, by the table of providers
    from knowledge.llm_groq import GroqModel

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Faculties:
    """What takes long to make and keeps nothing of any call: one does for many minds."""

    classifier: IntentClassifier
    knowledge: Retriever


@asynccontextmanager
async def open_faculties(settings: Settings) -> AsyncIterator[Faculties]:
    """The classifier, trained, and the search over the knowledge base."""
    async with AsyncExitStack() as stack:
        knowledge = await choose_knowledge(settings, stack)
        learnt = settings.application.data_folder / "intents.npz"
        local = await asyncio.to_thread(LocalIntentClassifier.train, kept_in=learnt)
        yield Faculties(Understanding(local), knowledge)


@asynccontextmanager
async def open_faq(settings: Settings) -> AsyncIterator[Faq]:
    """The part that answers general questions, alone, with the model there is: for measuring it."""
    async with AsyncExitStack() as stack:
        model = await choose_model(settings, Providers.watched_by(nobody), stack)
        knowledge = await choose_knowledge(settings, stack)
        yield Faq(knowledge, None if model is None else AnswerWriter(model, load_words("faq").system))


async def choose_model(
    settings: Settings, providers: Providers, stack: AsyncExitStack
) -> LanguageModel | None:
    """Groq's, one behind the other, with a key; else none."""
    groq = settings.groq
    key = groq.api_key.get_secret_value()
    names = list(dict.fromkeys(filter(None, (groq.llm_model, groq.llm_fallback_model))))
    if not key or not groq.llm_model:
        return None
    # Imported when chosen, and in a thread: langchain-groq takes seconds.
    hosted: type[GroqModel] = (await asyncio.to_thread(import_module, "knowledge.llm_groq")).GroqModel
    models = [hosted(key, groq.base_url, name, providers.tell) for name in names]
    for model in models:
        stack.push_async_callback(model.close)
        providers.warming.add(model.name, model.warm)
    return FallbackModel(models, providers.breakers, tell=providers.tell)


async def choose_knowledge(settings: Settings, stack: AsyncExitStack) -> QdrantRetriever:
    """The search over the FAQ; filled here when it lives in the agent, else by the command ``index``."""
    retriever = await asyncio.to_thread(open_knowledge, settings)
    stack.callback(retriever.close)
    if not settings.knowledge.host:
        await asyncio.to_thread(retriever.index, read_folder())
    return retriever


def open_knowledge(settings: Settings) -> QdrantRetriever:
    """The collection the settings name; blocks. Raises ``KnowledgeUnavailable``."""
    knowledge = settings.knowledge
    host = knowledge.host if "://" in knowledge.host else f"http://{knowledge.host}"
    location = f"{host}:{knowledge.port}" if knowledge.host else ":memory:"
    return QdrantRetriever.open(
        location,
        api_key=knowledge.api_key.get_secret_value(),
        dense=_embeddings(settings),
        collection=knowledge.collection_name,
    )


def _embeddings(settings: Settings) -> Embeddings | None:
    """The dense side of the search; None, and a warning, when it is wanted and cannot be had."""
    if not settings.embeddings.model:
        return None
    try:
        return load_embeddings(settings.embeddings.model)
    except EmbeddingsUnavailable as exc:
        log.warning("knowledge.words_alone", extra={"reason": str(exc)})
        return None
