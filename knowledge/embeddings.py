"""Dense vectors, for questions that share no word with their answer: sentence-transformers.

Only with the extra ``embeddings`` (it brings torch) and a model; without either, the search by words does
alone. The model is ``distiluse-base-multilingual-cased-v1``, which gives 512 numbers a text (the owner's
specification says 768, which is the size of its inner layer). It is read through langchain-huggingface from
a folder or from the local Hugging Face cache and never downloaded here: an agent that starts must not depend
on somebody else's server.
"""

from importlib.util import find_spec

from langchain_core.embeddings import Embeddings

DIMENSIONS = 512
"""Of distiluse-base-multilingual-cased-v1, and of the vectors the collection has room for."""


class EmbeddingsUnavailable(Exception):
    """There are no dense vectors to be had; the message says why and what to do."""


def load_embeddings(model: str) -> Embeddings:
    """The embeddings of ``model``, a folder or a name in the local cache, on the processor.

    Blocks for seconds (torch) and reads half a gigabyte. Raises :class:`EmbeddingsUnavailable`.
    """
    if find_spec("langchain_huggingface") is None or find_spec("sentence_transformers") is None:
        raise EmbeddingsUnavailable(
            f"EMBEDDINGS_MODEL is {model}, but the extra is missing: install standardiste[embeddings], "
            "or leave the setting empty; questions are searched by words alone"
        )
    # Late: torch takes seconds to import, and most agents run without.
    from langchain_huggingface import HuggingFaceEmbeddings

    try:
        embeddings: Embeddings = HuggingFaceEmbeddings(
            model_name=model,
            model_kwargs={"local_files_only": True, "device": "cpu"},
            encode_kwargs={"normalize_embeddings": True},
        )
        size = len(embeddings.embed_query("bonjour"))
    except (OSError, ValueError, RuntimeError, KeyError) as exc:
        raise EmbeddingsUnavailable(
            f"the model {model} cannot be read ({exc}): give EMBEDDINGS_MODEL the folder of a "
            "sentence-transformers model, or leave it empty; questions are searched by words alone"
        ) from exc
    if size != DIMENSIONS:
        raise EmbeddingsUnavailable(
            f"the model {model} gives {size} numbers a text, and {DIMENSIONS} are wanted: take "
            "distiluse-base-multilingual-cased-v1; questions are searched by words alone"
        )
    return embeddings
