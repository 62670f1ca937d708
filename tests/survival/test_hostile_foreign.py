"""Known ways round scanners of pickles, in every file that `open_model` takes: refused, and nothing runs."""

import io
import json
import pickle  # noqa: TID251  only here can it be shown that these files would run
import shutil
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fivefold.core.errors import BadInput, Damaged
from fivefold.core.fingerprint import of_json
from fivefold.models import open_model, save_model
from security.hostile import safetensors, zipped


class Call:
    """Pickled as the call of a function by the name of its module."""

    def __init__(self, module: str, name: str, *given: Any) -> None:
        self.told = module, name, given

    def pickled(self) -> bytes:
        """Return a pickle that makes the call when it is loaded."""
        module, name, given = self.told
        inside = pickle.dumps(given, protocol=2)[2:-1]
        return b"\x80\x02c" + f"{module}\n{name}\n".encode() + inside + b"R."


def bypasses(canary: Path) -> dict[str, bytes]:
    """Return pickles that published scanners of pickles let pass, by what they misuse."""
    code = f"open({str(canary)!r}, 'w').close()"
    script = canary.with_suffix(".py")
    called = {
        "timeit": Call("timeit", "timeit", "pass", code, 1),
        "runpy": Call("runpy", "run_path", str(script)),
        "cProfile": Call("cProfile", "run", code),
        "pdb": Call("pdb", "run", code),
        "bdb": Call("trace", "main"),
        "pip": Call("pip", "main", ["download", str(script)]),
        "pip inside": Call("pip._internal", "main", ["download", str(script)]),
        "numpy.f2py": Call("numpy.f2py.crackfortran", "myeval", code, {}, {}),
        "numpy exec": Call("numpy.testing._private.utils", "runstring", code, {}),
        "torch.hub": Call("torch.hub", "load", str(canary.parent), "m", "", False, False, False, "local"),
        "torch compile": Call("torch._inductor.codecache", "compile_file", str(script)),
        "ctypes": Call("ctypes", "CDLL", str(script)),
        "importlib": Call("importlib", "import_module", script.stem),
        "pydoc": Call("pydoc", "locate", script.stem),
        "subprocess": Call("subprocess", "call", ["touch", str(canary)]),
        "posix": Call("posix", "system", f"touch {canary}"),
        "code": Call("code", "interact"),
        "getattr": Call("builtins", "getattr", "x", "__class__"),
        "nested": Call("pickle", "loads", Call("builtins", "exec", code).pickled()),
        "nested twice": Call("_pickle", "loads", Call("pickle", "loads", Call("builtins", "exec", code).pickled()).pickled()),
    }  # fmt: skip
    dotted = f"\x80\x04cbuiltins\ngetattr\n(cbuiltins\n__import__\n(S'os'\ntRS'system'\ntR(S'touch {canary}'\ntR."
    late = Call("builtins", "exec", code).pickled()
    return {name: call.pickled() for name, call in called.items()} | {
        "builtins by getattr": dotted.encode("latin-1"),
        "broken after the call": late[:-1] + b"\xff\xff.",
        "after a sound pickle": pickle.dumps({"weights": 1}) + late,
        "memo": b"\x80\x04\x8c\x08builtins\x94\x8c\x04exec\x94\x93\x94(X" + _sized(code) + b"tR.",
        "extension": b"\x80\x02\x82\x01.",
    }


def _sized(word: str) -> bytes:
    return len(word).to_bytes(4, "little") + word.encode()


LIVE = ("timeit", "cProfile", "posix", "subprocess", "nested", "nested twice", "numpy.f2py", "builtins by getattr", "broken after the call", "memo")  # fmt: skip
NAMES = sorted(bypasses(Path("/canary")))


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """Return a file that no test may make; the script beside it would make it too."""
    place = tmp_path / "canary"
    for script in (place.with_suffix(".py"), tmp_path / "hubconf.py"):
        script.write_text(f"open({str(place)!r}, 'w').close()")
    return place


@pytest.mark.parametrize("name", LIVE)
def test_the_payloads_are_live(name, canary):
    """If these did nothing, the tests below would show nothing."""
    with suppress(pickle.UnpicklingError, ValueError, TypeError):
        pickle.loads(bypasses(canary)[name])
    assert canary.exists()


def refused(named: Path, data, canary: Path, told: object, **more: Any) -> None:
    """Check that nothing of what is at `named` runs, and that the error says where."""
    with pytest.raises((Damaged, BadInput)) as caught:
        open_model(str(named), task=data.task, schema=data.schema, **more)
    assert not canary.exists(), told
    assert str(caught.value), told


SHARES = [1, pytest.param(0, marks=pytest.mark.slow)]  # 0: all, 1: a part of them


def some(canary: Path, share: int, turn: int, step: int) -> dict[str, bytes]:
    """Return all bypasses, or each `step`-th, so that `step` neighbouring turns meet all of them."""
    known = bypasses(canary)
    return {name: known[name] for name in (NAMES[turn % step :: step] if share else NAMES)}


ENDINGS = ("skops", "onnx", "safetensors", "pkl", "pt", "bin", "joblib", "keras", "npy", "ckpt")


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("ending", ENDINGS)
def test_as_a_file_of_any_ending(ending, share, table, canary, tmp_path):
    path = tmp_path / f"model.{ending}"
    for name, content in some(canary, share, ENDINGS.index(ending), 5).items():
        for told in (content, zipped({"archive/data.pkl": content, "schema.json": b"{}"})):
            path.write_bytes(told)
            refused(path, table, canary, (ending, name), factory="torch.nn:Identity")


def test_behind_sound_tensors(table, canary, tmp_path):
    path = tmp_path / "model.safetensors"
    for name, content in bypasses(canary).items():
        header = {"__metadata__": {"format": "pt", "code": content.hex()}}
        for told in (safetensors(header, content), safetensors(content)):
            path.write_bytes(told)
            refused(path, table, canary, name, factory="torch.nn:Identity")


HOSTILE_NODES = {
    "function": {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"},
    "type": {"__class__": "Popen", "__module__": "subprocess", "__loader__": "TypeNode"},
    "method": {"__class__": "run", "__module__": "timeit", "__loader__": "MethodNode", "content": {"func": "timeit", "obj": {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "1"}}},
    "reduce": {"__class__": "run_path", "__module__": "runpy", "__loader__": "ReduceNode", "content": {}},
    "operator": {"__class__": "methodcaller", "__module__": "operator", "__loader__": "OperatorFuncNode", "attrs": []},
    "object": {"__class__": "Hub", "__module__": "torch.hub", "__loader__": "ObjectNode", "content": None},
    "lying module": {"__class__": "sklearn.base.os.system", "__module__": "sklearn.base", "__loader__": "FunctionNode"},
    "its tests": {"__class__": "exec", "__module__": "sklearn.utils._testing", "__loader__": "FunctionNode"},
    "array": {"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode", "type": "numpy", "file": "x.npy"},
    "traversal": {"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode", "type": "numpy", "file": "../../x.npy"},
    "loader": {"__class__": "x", "__module__": "x", "__loader__": "os.system"},
    "cycle": {"__class__": "x", "__module__": "x", "__loader__": "CachedNode", "__id__": 1},
}  # fmt: skip


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", HOSTILE_NODES)
def test_as_a_description_of_skops(name, share, table, canary, tmp_path):
    path = tmp_path / "model.skops"
    node = {"__id__": 1, **HOSTILE_NODES[name]}
    deep: dict[str, Any] = node
    for _ in range(200):
        deep = {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "__id__": 2, "content": [deep]}  # fmt: skip
    for inner in some(canary, share, list(HOSTILE_NODES).index(name), len(HOSTILE_NODES)).values():
        for told in (node, deep):
            schema = json.dumps({"protocol": 2, "_skops_version": "0.13", **told}).encode()
            path.write_bytes(zipped({"schema.json": schema, "x.npy": _objects(inner)}))
            refused(path, table, canary, name)


def _objects(pickled: bytes) -> bytes:
    from security.hostile import object_array

    return object_array(pickled)


def test_as_a_bomb(table, canary, tmp_path):
    path, room = tmp_path / "model.skops", io.BytesIO()
    with zipfile.ZipFile(room, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b"{}")
    whole = bytearray(room.getvalue())
    at = whole.index(b"PK\x01\x02")
    whole[at + 24 : at + 28] = (2**32 - 2).to_bytes(4, "little")  # the size it says it has
    path.write_bytes(whole)
    refused(path, table, canary, "bomb")


HUGGING_FACE = ("model.safetensors", "pytorch_model.bin", "config.json", "tokenizer.json")


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("place", HUGGING_FACE)
def test_as_the_files_of_a_hugging_face_folder(place, share, canary, tmp_path):
    from fivefold.core.schema import Schema
    from fivefold.core.task import Task

    class Texts:
        schema, task = Schema(shape=(20,), is_text=True), Task(classes=("a", "b"))

    config = {"model_type": "bert", "architectures": ["BertForSequenceClassification"]}
    sound = {"config.json": config, "tokenizer.json": {"version": "1.0", "model": {"type": "WordLevel", "vocab": {"x": 0}, "unk_token": "x"}}}  # fmt: skip
    for name, content in some(canary, share, HUGGING_FACE.index(place), 4).items():
        folder = tmp_path / "folder"
        folder.mkdir()
        for file, told in sound.items():
            (folder / file).write_text(json.dumps(told))
        (folder / place).write_bytes(content)
        refused(folder, Texts, canary, (name, place))
        shutil.rmtree(folder)


PATHS = ("os.system", "subprocess.Popen", "builtins.exec", "runpy.run_path", "torch.hub.load", "models.os.system", "fivefold.cli.main.answer", "..os", "canary.Net", "models.MLP.__init__", "models.save.hashlib.sha256", "pip.main", "timeit.timeit")  # fmt: skip
ARCHITECTURES = [{"use": path, "hidden": [1]} for path in PATHS] + [
    {"use": "models.MLP", "hidden": [2**62] * 9, "extra": 1},
    {"use": "models.MLP", "hidden": [-1]},
    {"use": "models.MLP", "hidden": "9" * 99},
    {"use": ["models.MLP"]},
    {"use": "models.MLP", "hidden": {"use": "os.system"}},
]
NETWORKS = [
    {"kind": "Linear", "in_features": 2**62, "out_features": 2**62, "bias": True},
    {"kind": "Linear", "in_features": 6, "out_features": 10**12, "bias": True},
    {"kind": "os.system"},
    {"kind": "Conv2d", "in_channels": 2**40, "out_channels": 2**40, "kernel_size": [2**20, 2**20]},
    {"kind": "LayerNorm", "normalized_shape": [2**30, 2**30, 2**30]},
    {"kind": "Sequential", "parts": [["__class__", {"kind": "Identity"}]]},
]


def forged(folder: Path, **changes: Any) -> None:
    """Write `model.json` with other content and the seal that belongs to it."""
    about = json.loads((folder / "model.json").read_text())
    about["content"] |= changes
    about["sha256"] = of_json(about["content"])
    (folder / "model.json").write_text(json.dumps(about))


@pytest.mark.parametrize("field", ["architecture", "network"])
def test_as_a_forged_description(field, table, untrained, canary, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))  # `import canary` would find the script
    for told in ARCHITECTURES if field == "architecture" else NETWORKS:
        save_model(untrained, tmp_path / "m")
        forged(tmp_path / "m", **{field: told})
        refused(tmp_path / "m", table, canary, told)


def test_as_a_description_nested_without_end(table, untrained, canary, tmp_path):
    save_model(untrained, tmp_path)
    about = (tmp_path / "model.json").read_text()
    for n in (100, 900, 100_000):
        inner = '{"kind": "Sequential", "parts": [["0", ' * n + '{"kind": "Identity"}' + "]]}" * n
        (tmp_path / "model.json").write_text(
            about.replace('"network":', f'"network": {inner}, "x":', 1)
        )
        refused(tmp_path, table, canary, n)
