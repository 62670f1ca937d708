"""Evidence and bills of materials from the command line, in both languages."""

import json
import shutil
from pathlib import Path

import pytest

from fivefold.report.exports import FRAMEWORKS


@pytest.fixture
def folder(made, tmp_path) -> Path:
    return Path(shutil.copytree(made / "runs/toy", tmp_path / "toy"))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", ["html", "json", "md"])
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_each_framework_in_each_format(ask, folder, name, kind, language):
    said = ask("report", folder, "--evidence", name, "--format", kind, "--json", "--lang", language)
    assert said.code == 0, said.err
    told = json.loads(said.out)
    path = Path(told["path"])
    assert path == folder / f"evidence-{name}{'' if language == 'en' else '.zh'}.{kind}"
    whole = path.read_text(encoding="utf-8")
    assert ("本文件是证据" if language == "zh" else "This is evidence") in whole
    assert ("缺失" if language == "zh" else "MISSING") in said.err
    assert told["counts"]["MISSING"] > 0


def test_the_chinese_one_is_chinese_unless_english_is_asked_for(ask, folder, monkeypatch):
    assert "evidence-cn.zh.html" in ask("report", folder, "--evidence", "cn").err
    assert "evidence-cn.html" in ask("report", folder, "--evidence", "cn", "--lang", "en").err
    monkeypatch.setenv("FIVEFOLD_LANG", "zh")
    assert "evidence-nist.zh.html" in ask("report", folder, "--evidence", "nist").err


def test_a_bill_of_materials(ask, folder):
    said = ask("report", folder, "--format", "mlbom", "--stage", "plain", "--json")
    assert said.code == 0, said.err
    told = json.loads(Path(json.loads(said.out)["path"]).read_text(encoding="utf-8"))
    assert (told["bomFormat"], told["specVersion"]) == ("CycloneDX", "1.6")
    assert told["metadata"]["component"]["name"] == "toy/plain"


def test_statements_are_taken_from_the_run_folder_or_from_a_file(ask, folder, tmp_path):
    counts = []
    for words in ([], ["--statements", tmp_path / "mine.toml"], []):
        (tmp_path / "mine.toml").write_text('limits = "a"\nintended_purpose = "b"\n')
        said = ask("report", folder, "--evidence", "annex-iv", "--json", *words)
        counts.append(json.loads(said.out)["counts"]["stated"])
        (folder / "statements.toml").write_text('intended_purpose = "b"\n')
    assert counts[0] == 0
    assert counts[1] > 0
    assert counts[2] > 0


def test_what_init_writes_states_nothing_yet(ask, folder, tmp_path):
    assert ask("init", tmp_path / "mine", "--lang", "zh").code == 0
    empty = tmp_path / "mine/statements.toml"
    assert "模型用来做什么" in empty.read_text(encoding="utf-8")
    said = ask("report", folder, "--evidence", "nist", "--statements", empty, "--json")
    assert json.loads(said.out)["counts"]["stated"] == 0


REFUSED = {
    "markdown of nothing": (["--format", "md"], 3),
    "a card as evidence": (["--format", "card", "--evidence", "nist"], 3),
    "a bill as evidence": (["--format", "mlbom", "--evidence", "nist"], 3),
    "statements in a card": (["--format", "card", "--statements", "{file}"], 3),
    "statements that are not there": (["--evidence", "cn", "--statements", "{none}"], 3),
    "a statement that nobody asks for": (["--evidence", "cn", "--statements", "{file}"], 3),
    "an unknown framework": (["--evidence", "soc2"], 2),
    "an unknown stage": (["--evidence", "nist", "--stage", "nine"], 3),
}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_go_together_is_refused(ask, folder, tmp_path, what, language):
    words, code = REFUSED[what]
    (tmp_path / "bad.toml").write_text('luck = "much"\n')
    places = {"file": tmp_path / "bad.toml", "none": tmp_path / "none.toml"}
    before = sorted(folder.rglob("*"))
    said = ask("report", folder, *(w.format(**places) for w in words), "--lang", language)
    assert said.code == code
    assert said.err.strip()
    assert "Traceback" not in said.err
    assert sorted(folder.rglob("*")) == before


def test_a_bundle_is_told_of_only_while_it_is_whole_and_of_this_model(ask, folder, tmp_path):
    def told():
        said = ask("report", folder, "--evidence", "iso42001", "--stage", "plain", "--format", "md")
        assert said.code == 0, said.err
        return (folder / "evidence-iso42001.md").read_text(encoding="utf-8"), said.err

    assert "Intact" not in told()[0]
    packed = folder / "toy-plain.bundle"
    assert ask("bundle", folder, "--stage", "plain", "--sign", tmp_path / "key.pem").code == 0
    assert "Intact, signed with key" in told()[0]
    assert ask("bundle", folder, "--stage", "plain", "--overwrite").code == 0
    assert "Intact, unsigned" in told()[0]
    shutil.rmtree(packed)
    assert ask("bundle", folder, "--stage", "start", "--out", packed).code == 0
    assert "Intact" not in told()[0]
    assert "another model" in told()[1]
    (packed / "recipe.toml").write_text("changed")
    assert "Intact" not in told()[0]
    assert "damaged" in told()[1]
