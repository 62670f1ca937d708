"""Files made to run code, in every place where a model, a bundle or data are read: refused, and nothing runs."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from fivefold.core.errors import BadInput, Damaged, FivefoldError
from fivefold.data.array_file import read_arrays
from fivefold.deploy import load_bundle, verify_bundle
from fivefold.models import load_model, save_model
from security.hostile import framed, hostile, object_array, payload, through_import, zipped
from survival.folders import BUNDLED

NAMES = sorted(hostile(Path("canary")))


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


def test_there_are_enough_of_them():
    assert len(NAMES) >= 60


@pytest.mark.parametrize("target", ["model.safetensors", "model.json"])
def test_as_the_files_of_a_model(target, untrained, canary, tmp_path):
    save_model(untrained, tmp_path / "sound")
    for name, content in hostile(canary).items():
        folder = Path(shutil.copytree(tmp_path / "sound", tmp_path / "m"))
        (folder / target).write_bytes(content)
        with pytest.raises((Damaged, BadInput)) as caught:
            load_model(folder)
        assert caught.value.where, name
        assert not canary.exists(), name
        shutil.rmtree(folder)


def test_as_weights_whose_hash_was_forged_as_well(untrained, canary, tmp_path):
    """Whoever can write both files can make the hash fit; the reader of tensors must still refuse."""
    import hashlib
    import json

    from fivefold.core.fingerprint import of_json

    save_model(untrained, tmp_path)
    about = json.loads((tmp_path / "model.json").read_text())
    for name, content in hostile(canary).items():
        about["content"]["weights"] = hashlib.sha256(content).hexdigest()
        about["sha256"] = of_json(about["content"])
        (tmp_path / "model.json").write_text(json.dumps(about))
        (tmp_path / "model.safetensors").write_bytes(content)
        with pytest.raises(Damaged):
            load_model(tmp_path)
        assert not canary.exists(), name


def test_as_a_file_more_in_a_bundle(unbroken, canary, tmp_path):
    for name, content in hostile(canary).items():
        bundle = Path(shutil.copytree(unbroken / BUNDLED, tmp_path / "b"))
        (bundle / name).write_bytes(content)
        for read in (verify_bundle, load_bundle):
            with pytest.raises(Damaged):
                read(bundle)
        assert not canary.exists(), name
        shutil.rmtree(bundle)


@pytest.mark.parametrize("suffix", ["npz", "npy"])
def test_as_arrays(suffix, canary, tmp_path):
    bad = [payload(canary), through_import(canary), *(framed(canary, p) for p in (2, 3, 4, 5))]
    for pickled in bad:
        inner = object_array(pickled)
        for content in (
            pickled, inner, zipped({"x.npy": inner, "y.npy": inner}),
            zipped({"images.npy": inner, "labels.npy": pickled}),
        ):  # fmt: skip
            path = tmp_path / f"a.{suffix}"
            path.write_bytes(content)
            with pytest.raises(FivefoldError) as caught:
                read_arrays(path, ())
            assert caught.value.code in (3, 5)
            assert not canary.exists()


def test_the_payloads_are_live(canary, tmp_path):
    """If these did nothing, the tests above would show nothing."""
    (tmp_path / "live.npy").write_bytes(object_array(framed(canary, 3)))
    np.load(tmp_path / "live.npy", allow_pickle=True)
    assert canary.exists()
