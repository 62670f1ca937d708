"""What somebody means who names a model: a file, a folder, a function or an address."""

import re
from pathlib import Path
from typing import Literal, TypeAlias

from fivefold.core.errors import BadInput, Damaged

Form: TypeAlias = Literal[
    "fivefold", "huggingface", "skops", "onnx", "safetensors", "function", "endpoint"
]
FILES: dict[str, Form] = {".skops": "skops", ".onnx": "onnx", ".safetensors": "safetensors"}
RUNS_CODE = (
    *(".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle", ".bin", ".pt", ".pth", ".pt2"),
    *(".ckpt", ".npy", ".h5", ".hdf5", ".keras", ".pb", ".mar"),
)
FORMS = "model.skops, model.onnx, model.safetensors, a Hugging Face folder, a folder saved by Fivefold, package.module:function, http://host/v2/models/name"


def form_of(named: str) -> Form:
    """Return the form of what `named` is; nothing is opened.

    Raises:
        BadInput: It is none of the forms, or does not exist.
        Damaged: Its format may run code.
    """
    if named.lower().startswith(("http://", "https://")):
        return "endpoint"
    path = Path(named)
    ending = path.suffix.lower()
    if "\0" not in named and path.is_dir():
        return _folder(path)
    if ending in RUNS_CODE:
        raise _may_run(named, ending)
    if ending in FILES and ("\0" in named or not path.is_file()):
        raise BadInput("There is no such file.", where=ascii(named), mend="Check the path.")
    if ending in FILES:
        return FILES[ending]
    if re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", named):
        return "function"
    raise _unknown(named)


def _folder(path: Path) -> Form:
    if (path / "model.json").is_file():
        return "fivefold"
    if (path / "config.json").is_file():
        return "huggingface"
    raise _unknown(str(path))


def _unknown(named: str) -> BadInput:
    return BadInput(
        "{named} is not a model that can be opened.",
        mend="Give one of these: {forms}.",
        named=ascii(named)[:200],
        forms=FORMS,
    )


def _may_run(named: str, ending: str) -> Damaged:
    return Damaged(
        "A {ending} file may run code when it is opened, so it is not opened.",
        where=named,
        mend="Convert it where you trust it: scikit-learn with skops.io.dump, torch with safetensors.torch.save_file or torch.onnx.export, Keras with tf2onnx, transformers with save_pretrained.",
        ending=ending,
    )
