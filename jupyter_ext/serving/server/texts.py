"""Texts for a model of transformers: its tokenizer turns them into tensors, and answers of a classifier into words."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

from jupyter_ext.errors import Invalid, Unfit, Where

_FILES: Final = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json", "spiece.model")
_GENERATES: Final = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")


def tokenizer_of(model: Any) -> Any:
    """The tokenizer whose files are beside the model's; None where there is none."""
    folder = Path(str(getattr(model, "name_or_path", "") or "/dev/null"))
    if not any((folder / name).is_file() for name in _FILES):
        return None
    transformers = import_module("transformers")
    return transformers.AutoTokenizer.from_pretrained(str(folder), local_files_only=True)


def are_texts(arrays: dict[str, Any]) -> bool:
    """Whether a request is of texts: one tensor or more of them, and nothing else."""
    return all(each.dtype.kind in "OUS" for each in arrays.values())


class Texts:
    """Answers texts: one column of them, or two that are read as pairs."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model
        self.tokenizer = tokenizer

    def __call__(self, arrays: dict[str, Any]) -> Any:
        """What the model says to each. Raises Invalid for a model that takes no texts, or generates them."""
        if self.tokenizer is None:
            raise Invalid(
                "the model takes tensors of token ids, for no tokenizer is beside it",
                where=Where(field="instances"),
                hint="Save its tokenizer into the same folder: tokenizer.save_pretrained(folder).",
            )
        name = type(self.model).__name__
        if name.endswith(_GENERATES):
            raise Unfit(
                f"a {name} generates text, which this server does not do",
                hint="Serve it with a runtime for that, such as kserve-huggingfaceserver.",
            )
        if len(arrays) > 2:
            raise Invalid(
                f"{len(arrays)} columns of texts; there is one, or a pair of them",
                where=Where(field="instances"),
            )
        columns = [[str(text) for text in column.reshape(-1).tolist()] for column in arrays.values()]
        given = self.tokenizer(*columns, padding=True, truncation=True, return_tensors="pt")
        return _said(self.model, self.model(**given))


def _said(model: Any, found: Any) -> Any:
    """Label and score of a classifier; of other models all that they give."""
    if not type(model).__name__.endswith("ForSequenceClassification") or found.logits.shape[-1] < 2:
        return dict(found)
    score, place = found.logits.float().softmax(-1).max(-1)
    names = {int(key): str(value) for key, value in (model.config.id2label or {}).items()}
    labels = [names.get(int(each), str(int(each))) for each in place]
    return {"label": np.asarray(labels, dtype=object), "score": score}
