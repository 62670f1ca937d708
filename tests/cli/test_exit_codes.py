"""Each exit code has its meaning, and each failure says what, where and how to mend it."""

import errno
import json
import shutil
import sys
from pathlib import Path

import pytest
import tomli_w
from filelock import FileLock

from toyrecipe import table

USAGE = {
    "no verb": ([], "No command was given", "没有给出命令"),
    "an unknown verb": (["rnu"], "no command rnu", "没有命令 rnu"),
    "an unknown option": (["run", "x.toml", "--bogus"], "no option --bogus", "没有选项 --bogus"),
    "an option nearly right": (["run", "x.toml", "--devic", "cpu"], "Did you mean --device", "--device"),
    "no recipe": (["run"], "argument recipe is missing", "缺少参数 recipe"),
    "no run": (["gate"], "argument run is missing", "缺少参数 run"),
    "nothing to compare": (["compare"], "is missing", "缺少参数"),
    "an unknown language": (["doctor", "--lang", "fr"], "--lang cannot be fr", ""),
    "an unknown device": (["run", "x.toml", "--device", "tpu"], "it can be 'auto'", "可用的值"),
    "an unknown format": (["report", "x", "--format", "pdf"], "--format cannot be pdf", "可用的值"),
    "a word too many": (["verify", "a", "b"], "Too many words: b", "多余的词：b"),
    "an option without its value": (["gate", "x", "--policy"], "needs a value", "需要一个值"),
    "braces": (["run", "x.toml", "--{b}"], "no option --{b}", "没有选项 --{b}"),
}  # fmt: skip


def is_refusal(said, code: int) -> None:
    """Check what holds for every failure that is not ours: nothing on stdout, words on stderr."""
    assert said.code == code, said.err
    assert said.out == ""
    assert "Traceback" not in said.err
    assert said.err.startswith(("Error: ", "错误")), said.err
    assert len(said.err.splitlines()) >= 2


@pytest.mark.parametrize("case", USAGE.values(), ids=USAGE)
def test_usage_is_2(ask, case):
    words, english, chinese = case
    said = ask(*words)
    is_refusal(said, 2)
    assert english in said.err
    if chinese:
        said = ask("--lang", "zh", *words)
        is_refusal(said, 2)
        assert chinese in said.err


BAD_INPUT = {
    "no such recipe": ["run", "{tmp}/none.toml"],
    "a folder for a recipe": ["run", "{tmp}"],
    "no such stage to force": ["run", "{made}/toy.toml", "--force", "nothing"],
    "an accelerator that is not there": ["run", "{made}/toy.toml", "--device", "cuda"],
    "a file for a workdir": ["run", "{made}/toy.toml", "--workdir", "{made}/toy.toml"],
    "no such run": ["report", "{tmp}/none"],
    "no such stage to report": ["report", "{made}/runs/toy", "--stage", "nothing"],
    "a page into a file": ["report", "{made}/runs/toy", "--format", "card", "--out", "{made}/toy.toml/x"],
    "one run": ["compare", "{made}/runs/toy"],
    "no such run to compare": ["compare", "{made}/runs/toy", "{tmp}"],
    "no such policy": ["gate", "{made}/runs/toy", "--policy", "{tmp}/none.toml"],
    "a recipe for a policy": ["gate", "{made}/runs/toy", "--policy", "{made}/toy.toml"],
    "no such run to judge": ["gate", "{tmp}"],
    "no such stage to pack": ["bundle", "{made}/runs/toy", "--stage", "nothing"],
    "no such run to pack": ["bundle", "{tmp}"],
    "a key that is none": ["bundle", "{made}/runs/toy", "--out", "{tmp}/b", "--sign", "{made}/toy.toml"],
    "no such bundle": ["verify", "{tmp}/none"],
    "a run for a bundle": ["verify", "{made}/runs/toy"],
    "no such public key": ["verify", "{bundle}", "--key", "{tmp}/none.pem"],
    "no such name": ["list", "privacy.DPSDG"],
    "a function for a name": ["list", "models.load_model"],
    "a name outside": ["list", "os:system"],
    "data without a target": ["init", "{tmp}/x", "--data", "{made}/toy.toml"],
    "no such data": ["init", "{tmp}/x", "--data", "{tmp}/none.csv", "--target", "y"],
    "data that are no table": ["init", "{tmp}/x", "--data", "{made}/toy.toml", "--target", "y"],
}  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("words", BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_3(ask, made, bundle, tmp_path, words, language, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    named = [w.format(tmp=tmp_path, made=made, bundle=bundle) for w in words]
    is_refusal(ask(*named, "--lang", language), 3)
    assert list(tmp_path.iterdir()) == []


def test_a_malformed_policy_is_refused_before_anything_runs(ask, tmp_path):
    recipe = table(policy={"limits": [{"evidence": "learning.accuracy", "at_leest": 0.5}]})
    (tmp_path / "r.toml").write_text(tomli_w.dumps(recipe))
    said = ask("run", tmp_path / "r.toml", "--workdir", tmp_path / "runs")
    is_refusal(said, 3)
    assert "at_leest" in said.err
    assert not (tmp_path / "runs").exists()


def test_a_policy_for_another_run_leaves_a_page_all_the_same(ask, tmp_path, no_page):
    recipe = table(policy={"limits": [{"evidence": "learning.acuracy", "at_least": 0.5}]})
    (tmp_path / "r.toml").write_text(tomli_w.dumps(recipe))
    said = ask("run", tmp_path / "r.toml", "--workdir", tmp_path / "runs", "--json")
    assert said.code == 3
    assert "Did you mean learning.accuracy" in said.err
    assert (tmp_path / "runs/toy/report.html").is_file()


@pytest.mark.parametrize("policy", ["broken", "lacking"])
def test_a_gate_that_is_not_passed_is_4(ask, made, policy):
    said = ask("gate", made / "runs/toy", "--policy", made / f"{policy}.toml", "--json")
    assert said.code == 4
    told = json.loads(said.out)
    assert told["passed"] is False
    assert told["checks"][0]["status"] == {"broken": "FAIL", "lacking": "MISSING"}[policy]
    assert said.err.startswith("Error: 1 of 1 checks stop the gate")


NAMES = ("bundle.json", "evidence.json", "lineage.json", "MODEL_CARD.md", "model.json", "model.safetensors", "policy.json", "recipe.toml")  # fmt: skip


def copy_of(bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


def test_the_bundle_holds_what_is_tampered_with(bundle):
    assert set(NAMES) < {p.name for p in bundle.iterdir()}


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_one_byte_of_any_file_is_5(ask, bundle, tmp_path, place):
    for name in sorted(p.name for p in bundle.iterdir()):
        copy = copy_of(bundle, tmp_path)
        data = bytearray((copy / name).read_bytes())
        at = {"first": 0, "middle": len(data) // 2, "last": len(data) - 1}[place]
        data[at] ^= 1
        (copy / name).write_bytes(data)
        is_refusal(ask("verify", copy), 5)
        shutil.rmtree(copy)


def test_any_file_that_is_lost_is_5(ask, bundle, tmp_path):
    for name in sorted(p.name for p in bundle.iterdir()):
        copy = copy_of(bundle, tmp_path)
        (copy / name).unlink()
        is_refusal(ask("verify", copy, "--key", bundle.parent / "key.pub.pem"), 5)
        shutil.rmtree(copy)


@pytest.mark.parametrize("name", ["more.json", "run.json", "x.py", "deep/er.txt", ".hidden"])
def test_a_file_more_is_5(ask, bundle, tmp_path, name):
    copy = copy_of(bundle, tmp_path)
    (copy / name).parent.mkdir(exist_ok=True)
    (copy / name).write_text("{}")
    is_refusal(ask("verify", copy, "--lang", "zh"), 5)


def test_another_key_is_5(ask, bundle, made, tmp_path):
    assert ask("bundle", made / "runs/toy", "--out", tmp_path / "b", "--sign", tmp_path / "k.pem").code == 0  # fmt: skip
    is_refusal(ask("verify", bundle, "--key", tmp_path / "k.pub.pem"), 5)


def test_a_record_of_a_run_that_was_changed_is_5(ask, made, tmp_path):
    copy = Path(shutil.copytree(made / "runs/toy", tmp_path / "toy"))
    told = (copy / "run.json").read_text()
    (copy / "run.json").write_text(told.replace("0.", "1.", 1))
    is_refusal(ask("gate", copy), 5)


def test_weights_that_were_changed_are_5(ask, made, tmp_path):
    copy = Path(shutil.copytree(made / "runs/toy", tmp_path / "toy"))
    file = copy / "stages/03-other/model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    is_refusal(ask("bundle", copy, "--out", tmp_path / "b"), 5)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_missing_extra_is_6(ask, made, tmp_path, monkeypatch, language):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    said = ask("run", made / "toy.toml", "--workdir", tmp_path, "--tensorboard", "--lang", language)
    is_refusal(said, 6)
    assert 'pip install "fivefold[track]"' in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_another_process_works_on_is_7(ask, made):
    with FileLock(made / "runs/.toy.lock"):
        said = ask("run", made / "toy.toml", "--workdir", made / "runs", "--json")
    is_refusal(said, 7)
    assert "Another process" in said.err


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), MemoryError()])
def test_a_full_disk_or_memory_is_7(ask, made, monkeypatch, error):
    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr("fivefold.cli.report.write_atomic", full)
    said = ask("report", made / "runs/toy", "--format", "json")
    assert said.code == 7
    assert "Traceback" not in said.err


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_fault_of_ours_is_1_and_says_so(ask, made, monkeypatch, language):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("fivefold.cli.report.read_run", broken)
    said = ask("report", made / "runs/toy", "--lang", language)
    assert said.code == 1
    assert said.out == ""
    assert "Traceback" in said.err
    assert {"en": "This is a fault of fivefold", "zh": "这是 fivefold 的故障"}[language] in said.err


def test_an_interrupt_is_130(ask, made, monkeypatch):
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fivefold.cli.report.read_run", stopped)
    said = ask("report", made / "runs/toy")
    assert said == (130, "", "Interrupted; run it again to go on.\n")
