"""The language model of a replay."""

import pytest
from pydantic import BaseModel

from app.replay.script import ModelAnswer
from app.replay.stand_ins import PlayedModel
from knowledge.llm import Asked, LlmFailed


class Choice(BaseModel):
    intent: str


async def test_the_model_answers_in_order_and_by_what_it_is_asked() -> None:
    model = PlayedModel(
        [
            ModelAnswer(when="horaires", writes="de neuf à dix-huit"),
            ModelAnswer(fills={"intent": "faq"}),
            ModelAnswer(writes="le début", fails="away"),
            ModelAnswer(fills_raw='{"intent": '),
        ]
    )
    asked, hours = Asked("system", "bonjour"), Asked("system", "vos horaires")
    assert (await model.fill(asked, Choice, 100)).intent == "faq"
    broken = model.write(asked, 100)
    assert (await anext(broken)) + (await anext(broken)) == "le début"
    with pytest.raises(LlmFailed, match="away"):
        await anext(broken)
    assert "".join([piece async for piece in model.write(hours, 100)]) == "de neuf à dix-huit"
    with pytest.raises(LlmFailed, match="not valid"):
        await model.fill(asked, Choice, 100)
    with pytest.raises(LlmFailed, match="no answer to this"):
        await model.fill(asked, Choice, 100)
    assert model.unused == []
