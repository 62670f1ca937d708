"""A text classifier in a folder of Hugging Face transformers; local, without anybody's code and without pickles."""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.codepoints import decode_texts
from fivefold.core.data import Inputs, as_tensor
from fivefold.core.errors import BadInput, Damaged, MissingExtra
from fivefold.core.lineage import Lineage
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.models.answers import aligned, outputs_from

CHUNK = 32
MOST_TOKENS = 512
MOST_JSON_BYTES = 100_000_000
MOST_WEIGHT_BYTES = 50_000_000_000
WEIGHTS, SHARDS = "model.safetensors", "model.safetensors.index.json"


@dataclass(frozen=True, kw_only=True)
class TextClassifier:
    """A sequence classifier with its own fast tokenizer. Gradients do not reach the characters.

    Attributes:
        classifier: The network of transformers.
        tokenizer: Its tokenizer.
        task: What is predicted.
        schema: What it eats: texts.
        order: Where each class of the task stands among its outputs; () if as in the task.
        lineage: What was done to it, as far as anybody says.
    """

    classifier: Any = field(repr=False)
    tokenizer: Any = field(repr=False)
    task: Task
    schema: Schema
    order: tuple[int, ...] = ()
    lineage: Lineage = ()

    @torch.no_grad()
    def predict(self, x: Inputs) -> Float[Tensor, "batch outputs"]:
        """Return logits or numbers. A text longer than the model's window is cut, as its tokenizer does."""
        told = [torch.zeros(0, self.task.n_outputs)]
        texts = decode_texts(as_tensor(x))
        longest = min(self.tokenizer.model_max_length, self._window())
        for start in range(0, len(texts), CHUNK):
            part = texts[start : start + CHUNK]
            told_as = {"truncation": True, "max_length": longest, "return_tensors": "pt"}
            given = self.tokenizer(part, padding=True, **told_as)
            if not given["input_ids"].shape[1]:  # nothing is left of any of these texts
                told_as["max_length"] = 1
                given = self.tokenizer(part, padding="max_length", **told_as)
            logits = self.classifier(**given).logits
            kind = "logits" if self.task.is_classification else "numbers"
            told.append(outputs_from(logits, len(part), self.task, kind, "transformers"))
        found = torch.cat(told)
        return found[:, list(self.order)] if self.order else found

    def with_lineage(self, lineage: Lineage) -> Self:
        """Return the same predictor with another history."""
        return replace(self, lineage=lineage)

    @property
    def n_parameters(self) -> int:
        """How many weights and biases its network has."""
        return sum(p.numel() for p in self.classifier.parameters())

    def _window(self) -> int:
        return getattr(self.classifier.config, "max_position_embeddings", MOST_TOKENS)


def open_classifier(folder: Path, task: Task, schema: Schema) -> TextClassifier:
    """Return the classifier in `folder`.

    Raises:
        BadInput: The data are not texts, or the classifier has other classes.
        Damaged: The folder wants code to be run, has only pickled weights, or lacks some.
        MissingExtra: transformers is not installed.
    """
    if not schema.is_text:
        raise BadInput(
            "This model reads texts, and the data are none.",
            where=str(folder),
            mend="Load the data with data.Texts and name the column of the text.",
        )
    config = _checked(folder)
    classifier, tokenizer = _loaded(folder)
    names = _classes(config, classifier.config.num_labels)
    order = aligned(names, task, str(folder)) if task.is_classification else ()
    is_same = order == tuple(range(task.n_outputs))
    return TextClassifier(
        classifier=classifier,
        tokenizer=tokenizer,
        task=task,
        schema=schema,
        order=() if is_same else order,
    )


def _checked(folder: Path) -> Mapping[str, Any]:
    """Return the configuration of a folder that needs no code and no pickle."""
    for name in ("config.json", "tokenizer_config.json", "tokenizer.json"):
        path = folder / name
        found = _json(path) if path.is_file() else {}
        if "auto_map" in found:
            raise _refused(folder, f"{name} names code of its own (auto_map)")
    if (folder / "adapter_config.json").exists():
        raise _refused(folder, "it is an adapter, not a whole model; merge it first")
    if (size := sum(path.stat().st_size for path in weight_files(folder))) > MOST_WEIGHT_BYTES:
        raise _refused(folder, f"its weights take {size} bytes; the limit is {MOST_WEIGHT_BYTES}")
    if not (folder / "tokenizer.json").is_file():
        raise _refused(folder, "it has no tokenizer.json")
    return _json(folder / "config.json")


def weight_files(folder: Path) -> list[Path]:
    """Return the files that hold the weights: one, or the shards that an index names.

    Raises:
        Damaged: There is none, or the index names a file elsewhere.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not (folder / SHARDS).is_file():
        raise _refused(folder, f"it has no {WEIGHTS}; pickled weights are not opened")
    named = _json(folder / SHARDS).get("weight_map")
    names = set(named.values()) if isinstance(named, dict) else set()
    for name in names:
        is_plain = isinstance(name, str) and Path(name).name == name
        if not (is_plain and name.endswith(".safetensors") and (folder / name).is_file()):
            raise _refused(folder, f"its index names a file {ascii(name)[:80]}")
    return sorted(folder / name for name in names)


def _json(path: Path) -> Mapping[str, Any]:
    if path.stat().st_size > MOST_JSON_BYTES:
        raise _refused(path, "it is too large")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _refused(path, str(error)) from error
    if not isinstance(found, dict):
        raise _refused(path, "it is not an object")
    return found


def _loaded(folder: Path) -> tuple[Any, Any]:
    try:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
    except ImportError as error:
        raise MissingExtra(
            "Reading this file needs {package}, which is not installed.",
            where=str(folder),
            mend='Install it: pip install "fivefold[{extra}]".',
            package="transformers",
            extra="text",
        ) from error
    safe = {"local_files_only": True, "trust_remote_code": False}
    state = torch.random.get_rng_state()  # weights that are overwritten are drawn from it
    more: dict[str, Any] = {"use_safetensors": True, "dtype": torch.float32, **safe}
    try:
        with _silent():
            tokenizer = AutoTokenizer.from_pretrained(str(folder), use_fast=True, **safe)
            classifier, told = AutoModelForSequenceClassification.from_pretrained(
                str(folder), output_loading_info=True, **more
            )
    except Exception as error:  # the library has many errors of its own
        raise _refused(folder, f"{type(error).__name__}: {error}") from error
    finally:
        torch.random.set_rng_state(state)
    if lacking := sorted(told["missing_keys"]):
        raise _refused(folder, f"weights are lacking, and would be random: {', '.join(lacking)}")
    return classifier.eval(), tokenizer


@contextmanager
def _silent() -> Generator[None]:
    """Let the library show no bars of its own."""
    from transformers.utils import logging

    is_shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if is_shown:
            logging.enable_progress_bar()


def _classes(config: Mapping[str, Any], n: int) -> list[str]:
    """Return the names of the classes in the order of the outputs; LABEL_3 is the class 3."""
    names = config.get("id2label")
    found = [str(v) for _, v in sorted(names.items(), key=lambda i: int(i[0]))] if names else []
    return [v.removeprefix("LABEL_") for v in found] or [str(i) for i in range(n)]


def _refused(place: Path, problem: str) -> Damaged:
    return Damaged(
        "This folder cannot be opened safely: {problem}.",
        where=str(place),
        mend="Save it again with save_pretrained, a fast tokenizer included, from a class that transformers itself has.",
        problem=problem.partition("\n")[0][:300],
    )
