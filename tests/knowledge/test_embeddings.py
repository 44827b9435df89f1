"""The real loading code on a tiny model: as distiluse is built, one layer, 512 numbers out."""

import importlib.util
from pathlib import Path

import pytest

from knowledge.embeddings import DIMENSIONS, EmbeddingsUnavailable, load_embeddings
from knowledge.qdrant_retriever import DENSE_DIMENSIONS, QdrantRetriever
from knowledge.retriever import Passage

WITH_EXTRA = importlib.util.find_spec("sentence_transformers") is not None


def tiny_model(folder: Path, dimensions: int) -> Path:
    """A DistilBERT of one layer with a pooling and a dense head, saved as sentence-transformers saves."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers import models as parts
    from transformers import DistilBertConfig, DistilBertModel, DistilBertTokenizerFast

    base = folder / "base"
    base.mkdir(parents=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "bonjour", "vol", "horaires", "délai", "un", "?"]
    (base / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    DistilBertTokenizerFast(vocab=str(base / "vocab.txt"), do_lower_case=False).save_pretrained(base)
    shape = DistilBertConfig(vocab_size=len(words), dim=32, hidden_dim=64, n_layers=1, n_heads=2)
    DistilBertModel(shape).save_pretrained(base)
    inner = parts.Transformer(str(base))
    head = parts.Dense(in_features=32, out_features=dimensions)
    SentenceTransformer(modules=[inner, parts.Pooling(32), head]).save(str(folder / "model"))
    return folder / "model"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny"), DIMENSIONS)


def test_the_collection_has_room_for_what_the_model_gives() -> None:
    assert DENSE_DIMENSIONS == DIMENSIONS == 512


def test_a_missing_model_or_extra_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingsUnavailable, match="searched by words alone"):
        load_embeddings(str(tmp_path / "nowhere"))


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.embeddings.find_spec", lambda _: None)
    with pytest.raises(EmbeddingsUnavailable, match=r"install standardiste\[embeddings\]"):
        load_embeddings("distiluse-base-multilingual-cased-v1")


if WITH_EXTRA:  # with the base alone there is nothing to load; CI runs both

    async def test_a_model_of_512_numbers_serves_the_search(model: Path) -> None:
        dense = load_embeddings(str(model))
        assert len(dense.embed_query("un vol")) == DIMENSIONS
        theft = Passage("5f0c7b1e-0c5c-5d6f-8f55-0d9c5e3c1a11", "Quel délai ?", "Deux jours.", "", "f.md")
        retriever = QdrantRetriever.open(dense=dense)
        assert retriever.index([theft]).added == 1
        assert retriever.index([theft]).unchanged == 1
        assert (await retriever.search("délai"))[0].id == theft.id
        retriever.close()

    def test_a_model_of_another_size_is_refused(tmp_path: Path) -> None:
        with pytest.raises(EmbeddingsUnavailable, match="gives 768 numbers a text, and 512 are wanted"):
            load_embeddings(str(tiny_model(tmp_path, 768)))
