"""A stored file that was changed is noticed: a run makes it again, a reader refuses it with exit code 5."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from survival.chance import Chance
from survival.folders import BUNDLED, found, hashes

SEED = 100
CASES = [*range(6), *(pytest.param(i, marks=pytest.mark.slow) for i in range(6, 100))]
KINDS = ("flip", "cut", "empty", "gone", "swap")


def damage(path: Path, kind: str, rng: Chance, others: list[Path]) -> None:
    """Change one file."""
    content = bytearray(path.read_bytes())
    if kind == "flip":
        content[rng.below(len(content))] ^= 1 << rng.below(8)
    elif kind == "cut":
        del content[rng.below(len(content), 1) :]
    elif kind == "empty":
        content.clear()
    elif kind == "swap":
        content = bytearray(rng.one_of(others).read_bytes())
    path.unlink()
    if kind != "gone":
        path.write_bytes(content)


@pytest.mark.parametrize("index", CASES)
def test_a_damaged_file_of_a_run_is_made_again(index, nursery, unbroken, tmp_path):
    rng, kind = Chance(f"{SEED}/{index}"), KINDS[index % len(KINDS)]
    run = Path(shutil.copytree(unbroken / "runs", tmp_path / "runs")) / "five"
    stored = sorted(p for p in run.glob("stages/*/*") if p.is_file())
    path = rng.one_of([*stored, run / "run.json"])
    sys.stdout.write(f"seed {SEED}/{index}: {kind} {path.relative_to(run)}\n")
    others = [p for p in stored if p.name == path.name and p.read_bytes() != path.read_bytes()]
    damage(path, kind, rng, others or stored)
    if path.name == "run.json":
        for verb in (("report", run), ("gate", run), ("compare", run, run)):
            said = nursery.run(*verb, said=tmp_path / "said")
            assert said.code == (3 if kind == "gone" else 5), (verb, said.words)
    if path.parent.name == "05-rounded" and path.name.startswith("model."):
        said = nursery.run("bundle", run, "--out", tmp_path / "b", said=tmp_path / "said")
        assert said.code in (3, 5), said.words
        assert not (tmp_path / "b").exists()
    words = ("run", unbroken / "five.toml", "--workdir", tmp_path / "runs")
    said = nursery.run(*words, said=tmp_path / "said")
    assert said.code == 0, said.words
    assert hashes(run) == hashes(unbroken / "runs/five")
    assert found(run) == found(unbroken / "runs/five")


def _extra(bundle: Path) -> None:
    (bundle / "more.txt").write_text("x")


def _link(bundle: Path) -> None:
    (bundle / "recipe.toml").rename(bundle.parent / "recipe.toml")
    (bundle / "recipe.toml").symlink_to(bundle.parent / "recipe.toml")


def _renamed(bundle: Path) -> None:
    (bundle / "lineage.json").rename(bundle / "lineage2.json")


TAMPERED: dict[str, Callable[[Path], None]] = {"extra": _extra, "link": _link, "renamed": _renamed}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_bundle_with_another_set_of_files(name, nursery, unbroken, tmp_path):
    bundle = Path(shutil.copytree(unbroken / BUNDLED, tmp_path / "b"))
    TAMPERED[name](bundle)
    said = nursery.run("verify", bundle, said=tmp_path / "said")
    assert said.code == 5, said.words


@pytest.mark.parametrize("each", [2, pytest.param(len(KINDS), marks=pytest.mark.slow)])
def test_each_file_of_a_bundle_in_some_ways(each, nursery, unbroken, tmp_path):
    rng = Chance(f"{SEED}")
    signed, key = tmp_path / "signed", tmp_path / "key.pem"
    said = nursery.run("bundle", unbroken / "runs/five", "--out", signed, "--sign", key, said=tmp_path / "said")  # fmt: skip
    assert said.code == 0, said.words
    public = key.with_suffix(".pub.pem")
    names = sorted(p.name for p in signed.iterdir())
    assert len(names) >= 9
    for i, name in enumerate(names):
        for kind in [KINDS[(each * i + j) % len(KINDS)] for j in range(each)]:
            bundle = Path(shutil.copytree(signed, tmp_path / "b"))
            damage(bundle / name, kind, rng, [signed / n for n in names if n != name])
            said = nursery.run("verify", bundle, "--key", public, said=tmp_path / "said")
            assert said.code == 5, (name, kind, said.words)
            shutil.rmtree(bundle)
