"""A bundle is what was written, whole, or it is refused, with the file that is not."""

import json
import os
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import toyrecipe
from deploy.toy_run import toy_run
from fivefold.core.errors import BadInput, Damaged
from fivefold.core.evidence import Evidence, Finding, Missing
from fivefold.core.fingerprint import of_state
from fivefold.core.jsonfile import from_json
from fivefold.core.lineage import Claim, Record
from fivefold.deploy import Bundle, load_bundle, verify_bundle, write_bundle
from fivefold.deploy.seal import MANIFEST, SIGNATURE, seal
from fivefold.models import load_model
from fivefold.recipe import Run, read_run, recipe_from
from fivefold.recipe import run as carry_out
from fivefold.security import make_keys
from fivefold.security.sign import read_public_key

CARD = "# The toy model 玩具模型\n"
NAMES = [
    "MODEL_CARD.md", "bundle.json", "evidence.json", "lineage.json", "manifest.json", "model.json",
    "model.safetensors", "policy.json", "recipe.toml", "signature.json",
]  # fmt: skip


@pytest.fixture(scope="module")
def key(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("keys") / "mine.pem"
    make_keys(made)
    return made


@pytest.fixture(scope="module", name="run")
def toy(table, untrained, trained) -> Run:
    return toy_run(table, untrained, trained)


@pytest.fixture(scope="module")
def signed(run, trained, key, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "signed"
    write_bundle(run, "plain", trained, folder, key=key, card=CARD, verdict={"passed": True})
    return folder


@pytest.fixture(scope="module")
def unsigned(run, trained, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "unsigned"
    write_bundle(run, "plain", trained, folder, card=CARD, verdict={"passed": True})
    return folder


@pytest.fixture
def copy(signed, tmp_path) -> Path:
    return Path(shutil.copytree(signed, tmp_path / "copy"))


def public(key: Path) -> Path:
    return key.with_suffix(".pub.pem")


def refused(folder: Path, name: str | None = None, key: Path | None = None) -> Damaged:
    with pytest.raises(Damaged) as caught:
        verify_bundle(folder, key)
    assert caught.value.code == 5
    if name is not None:
        assert caught.value.where == name
    with pytest.raises(Damaged):
        load_bundle(folder, key)
    return caught.value


def test_holds_everything_that_was_promised(signed, run, key):
    bundle = verify_bundle(signed, public(key))
    assert sorted(bundle.files) == NAMES
    assert bundle.stage == "plain"
    assert bundle.about.run == "toy"
    assert bundle.about.data == run.data
    assert bundle.files["MODEL_CARD.md"] == len(CARD.encode())
    found = from_json(
        (signed / "evidence.json").read_text(), dict[str, tuple[Finding, ...]], where=""
    )
    assert found == {"findings": run.stages[1].findings, "changes": ()}
    assert [type(f) for f in found["findings"]] == [Evidence, Missing]
    assert "learning.Finetune" in (signed / "recipe.toml").read_text()
    assert json.loads((signed / "policy.json").read_text()) == {"passed": True}


def test_gives_the_same_predictions_bit_for_bit(signed, trained, table, key):
    model, bundle = load_bundle(signed, public(key))
    assert bundle.is_trusted
    assert torch.equal(model.predict(table.splits.test.x), trained.predict(table.splits.test.x))
    assert of_state(model.net.state_dict()) == of_state(trained.net.state_dict())
    assert model.lineage == trained.lineage
    assert model.schema == trained.schema


def test_says_what_was_shown(signed, unsigned, key):
    plain, named, known = (
        verify_bundle(unsigned),
        verify_bundle(signed),
        verify_bundle(signed, public(key)),
    )
    assert (plain.is_signed, plain.is_trusted, plain.signer) == (False, False, "")
    assert (named.is_signed, named.is_trusted) == (True, False)
    assert (known.is_signed, known.is_trusted) == (True, True)
    assert known.signer == read_public_key(public(key))
    assert "unsigned" in str(plain.status)
    assert "nobody has checked" in str(named.status)
    assert "given key" in str(known.status)
    assert all(b.status.words("zh") != b.status.words("en") for b in (plain, named, known))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data(), which=st.sampled_from(["signed", "unsigned"]))
def test_any_changed_byte_is_found(data, which, request, tmp_path_factory):
    whole = request.getfixturevalue(which)
    name = data.draw(st.sampled_from([n for n in NAMES if (whole / n).exists()]))
    told = bytearray((whole / name).read_bytes())
    place = data.draw(st.integers(0, len(told) - 1))
    told[place] ^= data.draw(st.integers(1, 255))
    folder = Path(shutil.copytree(whole, tmp_path_factory.mktemp("flip") / "b"))
    (folder / name).write_bytes(told)
    error = refused(folder)
    assert error.where == name or name == MANIFEST


@pytest.mark.parametrize("which", ["signed", "unsigned"])
def test_every_byte_of_the_seal_counts(which, request, tmp_path):
    """Exhaustive where a byte is not covered by a hash: the manifest and the signature."""
    folder = Path(shutil.copytree(request.getfixturevalue(which), tmp_path / "b"))
    for name in (n for n in (MANIFEST, SIGNATURE) if (folder / n).exists()):
        whole = (folder / name).read_bytes()
        for place in range(0, len(whole), 3):
            told = bytearray(whole)
            told[place] ^= 0x20  # turns the case of a letter
            (folder / name).write_bytes(told)
            with pytest.raises(Damaged):
                verify_bundle(folder)
        (folder / name).write_bytes(whole)
    verify_bundle(folder)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_cut_lengthened_lost_or_renamed_is_found(name, copy):
    whole = (copy / name).read_bytes()
    for told in (
        whole[:-1],
        whole[: len(whole) // 2],
        b"",
        whole + b"\n",
        whole + b"\0",
        whole * 2,
    ):
        (copy / name).write_bytes(told)
        refused(copy, name)
    (copy / name).unlink()
    refused(copy, name)
    suffix = Path(name).suffix
    (copy / f"other{suffix}").write_bytes(whole)
    refused(copy)
    (copy / f"other{suffix}").unlink()
    (copy / name).write_bytes(whole)
    verify_bundle(copy)


@pytest.mark.parametrize("name", NAMES)
def test_a_link_instead_of_a_file_is_found(name, copy, tmp_path):
    (copy / name).rename(tmp_path / name)
    (copy / name).symlink_to(tmp_path / name)
    refused(copy, name)


@pytest.mark.parametrize("name", NAMES)
def test_a_twin_in_another_case_is_found(name, copy):
    other = name.swapcase().rpartition(".")[0] + Path(name).suffix
    (copy / other).write_bytes((copy / name).read_bytes())
    assert refused(copy).where.casefold() == name.casefold()


@pytest.mark.parametrize(
    "name",
    [
        "extra.json",
        "extra.md",
        "evil.pkl",
        "evil.py",
        ".hidden.json",
        "sub/extra.json",
        "model.bin",
    ],
)
def test_an_added_file_is_found(name, copy):
    (copy / name).parent.mkdir(exist_ok=True)
    (copy / name).write_bytes(b"{}")
    assert name.endswith(refused(copy).where)


def test_an_added_folder_or_pipe_is_found(copy):
    (copy / "sub").mkdir()
    refused(copy, "sub")
    (copy / "sub").rmdir()
    os.mkfifo(copy / "pipe.json")
    refused(copy, "pipe.json")


def test_two_files_that_change_places_are_found(copy):
    a, b = copy / "lineage.json", copy / "policy.json"
    a.rename(copy / "c")
    b.rename(a)
    (copy / "c").rename(b)
    refused(copy, "lineage.json")


def test_files_of_another_bundle_are_found(copy, run, untrained, tmp_path, key):
    other = tmp_path / "other"
    write_bundle(run, "start", untrained, other, key=key)
    for name in ("model.safetensors", "model.json", "evidence.json"):
        whole = (copy / name).read_bytes()
        if whole != (other / name).read_bytes():
            shutil.copy(other / name, copy / name)
            refused(copy, name)
            (copy / name).write_bytes(whole)
    shutil.copy(other / SIGNATURE, copy / SIGNATURE)
    refused(copy, SIGNATURE)
    shutil.copy(other / MANIFEST, copy / MANIFEST)
    refused(copy)


def test_another_key_is_refused(signed, unsigned, tmp_path):
    key = make_keys(tmp_path / "theirs.pem")
    assert "another key" in str(refused(signed, SIGNATURE, key))
    assert "not signed" in str(refused(unsigned, SIGNATURE, key))
    with pytest.raises(BadInput):
        verify_bundle(signed, tmp_path / "none.pem")


def test_taking_the_signature_away_is_found(copy):
    (copy / SIGNATURE).unlink()
    refused(copy, SIGNATURE)


def test_a_whole_new_seal_passes_only_for_those_who_ask_for_no_key(copy, key, tmp_path):
    """What the documentation warns of."""
    theirs = tmp_path / "theirs.pem"
    make_keys(theirs)
    (copy / "MODEL_CARD.md").write_text("# Perfect in every way\n")
    inside = [path for path in sorted(copy.iterdir()) if path.name not in (MANIFEST, SIGNATURE)]
    seal(copy, inside, theirs)
    assert verify_bundle(copy).signer != read_public_key(public(key))
    refused(copy, SIGNATURE, public(key))


@pytest.mark.parametrize("name", ["model.json", "evidence.json", "bundle.json"])
def test_a_bundle_sealed_without_a_needed_file_is_none(name, copy):
    (copy / name).unlink()
    (copy / SIGNATURE).unlink()
    seal(copy, [p for p in sorted(copy.iterdir()) if p.name != MANIFEST], None)
    refused(copy, name)


@pytest.mark.parametrize(
    "told",
    [b"[]", b"{}", b'"x"', b'{"files":[],"format":"fivefold bundle 1","signer":""}',
     b'{"files":{},"format":"fivefold bundle 2","signer":""}',
     b'{"files":{"../a":{"sha256":"","size":0}},"format":"fivefold bundle 1","signer":""}',
     b'{"files":{"a.json":7},"format":"fivefold bundle 1","signer":""}',
     b'{"files":{},"format":"fivefold bundle 1","signer":7}'],
)  # fmt: skip
def test_a_strange_manifest_is_refused(told, copy):
    (copy / MANIFEST).write_bytes(told)
    refused(copy)


def test_nothing_here_is_bad_input(tmp_path):
    with pytest.raises(BadInput):
        verify_bundle(tmp_path / "none")
    refused(tmp_path, MANIFEST)


def test_a_taken_place_stays_as_it_is(run, trained, copy, tmp_path):
    before = verify_bundle(copy)
    with pytest.raises(BadInput, match="already there"):
        write_bundle(run, "plain", trained, copy)
    assert verify_bundle(copy) == before
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    with pytest.raises(BadInput, match="not a bundle"):
        write_bundle(run, "plain", trained, tmp_path / "home", overwrite=True)
    (tmp_path / "link").symlink_to(copy)
    with pytest.raises(BadInput, match="not a bundle"):
        write_bundle(run, "plain", trained, tmp_path / "link", overwrite=True)
    assert (tmp_path / "home" / "letter.txt").read_text() == "dear"
    after = write_bundle(run, "plain", trained, copy, overwrite=True)
    assert not after.is_signed
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy", "home", "link"]


def test_a_failure_leaves_nothing_and_spoils_nothing(run, trained, copy, tmp_path):
    before = verify_bundle(copy)
    for folder, overwrite in ((tmp_path / "new", False), (copy, True)):
        with pytest.raises(BadInput, match="no key"):
            write_bundle(run, "plain", trained, folder, key=tmp_path / "none", overwrite=overwrite)
    assert verify_bundle(copy) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy"]


def test_a_model_of_another_stage_does_not_ship_with_this_evidence(
    run, trained, untrained, tmp_path
):
    more = (*trained.lineage, Record("more", {}, "", Claim()))
    stages = (run.stages[0], replace(run.stages[1], lineage=more))
    with pytest.raises(BadInput, match="history of stage plain"):
        write_bundle(replace(run, stages=stages), "plain", trained, tmp_path / "b")
    with pytest.raises(BadInput, match="start, plain"):
        write_bundle(run, "robust", trained, tmp_path / "b")
    assert not list(tmp_path.iterdir())


def test_the_same_stage_makes_the_same_bytes(run, trained, unsigned, tmp_path):
    again: Bundle = write_bundle(
        run, "plain", trained, tmp_path / "b", card=CARD, verdict={"passed": True}
    )
    assert {n: (again.folder / n).read_bytes() for n in again.files} == {
        n: (unsigned / n).read_bytes() for n in again.files
    }


def test_a_stage_of_a_real_run_ships_and_comes_back(tmp_path, key):
    carry_out(recipe_from(toyrecipe.table()), tmp_path / "runs")
    done = read_run(tmp_path / "runs" / "toy")
    kept = load_model(done.folder / "stages" / "01-plain")
    write_bundle(done, "plain", kept, tmp_path / "bundle", key=key)
    model, bundle = load_bundle(tmp_path / "bundle", public(key))
    assert bundle.about.data == done.data
    assert model.lineage == done.stage("plain").lineage
    assert of_state(model.net.state_dict()) == of_state(kept.net.state_dict())
    again = recipe_from(tomllib.loads((tmp_path / "bundle" / "recipe.toml").read_text()))
    assert again == recipe_from(toyrecipe.table())
