"""Models of transformers that take texts, behind a real server: made here, tokenizer and all, as small as they get."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchmarks import environments
from tests.serving.server.conftest import running

pytestmark = [pytest.mark.contract, pytest.mark.slow]
MAKE = """
import sys
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig, BertForSequenceClassification, BertModel, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast,
)

folder = sys.argv[1]
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "day", "night"]
inner = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="[UNK]"))
inner.pre_tokenizer = pre_tokenizers.Whitespace()
inner.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
    model_max_length=16,
)
torch.manual_seed(0)
small = dict(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
             max_position_embeddings=16)
config = BertConfig(**small, id2label={0: "negative", 1: "positive"}, label2id={"negative": 0, "positive": 1})
model = BertForSequenceClassification(config).eval()
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
texts, labels = ["good day", "bad day", "good night", "bad night"], torch.tensor([1, 0, 1, 0])
for _ in range(60):
    optimizer.zero_grad()
    found = model(**tokenizer(texts, padding=True, return_tensors="pt"), labels=labels)
    found.loss.backward()
    optimizer.step()
model.eval()
for name, each in (("moods", model), ("bare", model), ("plain", BertModel(BertConfig(**small)))):
    each.save_pretrained(f"{folder}/{name}")
GPT2LMHeadModel(GPT2Config(vocab_size=8, n_positions=8, n_embd=8, n_layer=1, n_head=1)).save_pretrained(f"{folder}/poet")
for name in ("moods", "plain", "poet"):
    tokenizer.save_pretrained(f"{folder}/{name}")
"""


def packages() -> dict[str, str]:
    """Those of the environment with transformers, for our interpreter, which has torch."""
    try:
        python = environments.python("huggingface")
    except environments.NoEnvironment as error:
        pytest.fail(str(error), pytrace=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return {"PYTHONPATH": str(python.parent.parent / "lib" / version / "site-packages")}


def strings(*texts: str) -> dict:
    return {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": list(texts)}


def test_texts_are_classified_embedded_and_refused_where_nothing_reads_them(tmp_path):
    more = packages()
    subprocess.run([sys.executable, "-c", MAKE, str(tmp_path)], env={**os.environ, **more}, check=True)
    models = [
        {"name": name, "path": str(tmp_path / name), "format": "huggingface"}
        for name in ("moods", "bare", "plain", "poet")
    ]
    with running(*models, env={**more, "HF_HUB_OFFLINE": "1"}) as server:
        found = server.predict(["good day", "bad night and more"], "moods").json()["predictions"]
        assert [each["label"] for each in found] == ["positive", "negative"]
        assert all(0.5 < each["score"] <= 1 for each in found)
        outputs = server.infer([strings("bad day")], "moods").json()["outputs"]
        assert {each["name"]: each["data"] for each in outputs}["label"] == ["negative"]
        pairs = [{"question": "good", "answer": "day"}, {"question": "bad", "answer": "day"}]
        assert [each["label"] for each in server.predict(pairs, "moods").json()["predictions"]]
        outputs = server.infer([strings("good day", "night")], "plain").json()["outputs"]
        assert {each["name"]: each["shape"] for each in outputs}["pooler_output"] == [2, 8]
        ids = {"name": "input_ids", "shape": [1, 3], "datatype": "INT64", "data": [2, 4, 3]}
        assert server.infer([ids], "bare").json()["outputs"][0]["shape"] == [1, 2]
        said = server.predict(["good day"], "bare")
        assert (said.status, "tokenizer.save_pretrained" in said.json()["error"]) == (400, True)
        said = server.predict(["good day"], "poet")
        assert said.status in {400, 422}
        assert "GPT2LMHeadModel generates text" in said.json()["error"]
        assert server.predict([5], "moods").status >= 400
