"""Every verb, in both languages, with and without --json."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from fivefold.cli.verbs import app
from fivefold.core.errors import MissingExtra
from fivefold.core.text import chinese
from toyrecipe import table

VERBS = [c.name or c.callback.__name__ for c in app.registered_commands if c.callback]
CJK = re.compile(r"[\u4e00-\u9fff]")


def one(said) -> Any:
    """Return what stdout holds, which must be JSON and nothing else."""
    assert "\x1b" not in said.out
    return json.loads(said.out)


def test_all_verbs_are_known():
    assert VERBS == ["init", "doctor", "run", "report", "compare", "gate", "bundle", "verify", "list", "demo", "audit", "explain", "attack", "serve", "federate"]  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_help_in_english_says_all_options(ask, verb):
    said = ask(verb, "--help")
    assert said.code == 0
    assert said.err == ""
    assert "--json" in said.out
    assert "--lang" in said.out
    assert not CJK.search(said.out)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("how", ["after", "before", "variable"])
def test_help_in_chinese(ask, verb, how, monkeypatch):
    if how == "variable":
        monkeypatch.setenv("FIVEFOLD_LANG", "zh")
    words = {"after": [verb, "--help", "--lang", "zh"], "before": ["--lang", "zh", verb, "--help"], "variable": [verb, "--help"]}  # fmt: skip
    said = ask(*words[how])
    assert said.code == 0
    for english in ("Usage", "Options", "required", "default:", "Show this"):
        assert english not in said.out
    for line in re.sub(r"\n {9,}", " ", said.out).splitlines():  # a long option has its help below
        if line.startswith("  --"):
            assert CJK.search(line), line


def test_help_of_all_verbs_is_not_cut(ask):
    said = ask("--help")
    assert "then write the" in said.out
    assert "..." not in said.out.replace("[ARGS]...", "")
    for verb in [*VERBS, *(g.name for g in app.registered_groups)]:
        assert re.search(rf"(?m)^  {verb} ", said.out)


def test_the_version(ask):
    said = ask("--version")
    assert said.code == 0
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", said.out)


def test_run_shows_each_stage_and_the_matrix(ask, made, no_page):
    said = ask("run", made / "toy.toml", "--workdir", made / "runs")
    assert said.code == 0
    assert [line[:3] for line in said.err.splitlines() if "unchanged" in line] == ["1/4", "2/4", "3/4", "4/4"]  # fmt: skip
    assert "better: accuracy" in said.err
    assert said.err.index("Writing the report") < said.err.index("Report: ")
    assert "LEARNING" in said.out
    assert said.out.count("← start") == 2
    assert (made / "runs/toy/report.html").read_text().startswith("<!DOCTYPE html>")


def test_run_in_chinese_writes_a_chinese_page(ask, made):
    said = ask("run", made / "toy.toml", "--workdir", made / "runs", "--lang", "zh")
    assert said.code == 0
    assert "学习" in said.out
    assert "LEARNING" not in said.out
    assert "4/4 other：无变化" in said.err
    assert "正在写报告" in said.err
    page = (made / "runs/toy/report.zh.html").read_text(encoding="utf-8")
    assert 'lang="zh' in page


def test_run_as_json(ask, made, no_page):
    said = ask("run", made / "toy.toml", "--workdir", made / "runs", "--json")
    told = one(said)
    assert set(told) == {"run", "report", "matrix"}
    assert told["run"] == str(made / "runs/toy")
    assert Path(told["report"]).is_file()
    row = next(
        r for r in told["matrix"] if r["key"] == "learning.accuracy" and r["stage"] == "plain"
    )
    assert {"value", "low", "high", "n", "unit", "better", "change", "judgement", "parent"} <= set(
        row
    )
    assert any(r.get("missing") == "nothing to see in the dark" for r in told["matrix"])


def test_force_carries_one_stage_out_again(ask, made, no_page):
    said = ask("run", made / "toy.toml", "--workdir", made / "runs", "--force", "lazy")
    assert said.code == 0
    assert "3/4 lazy: step" in said.err
    assert "2/4 plain: unchanged" in said.err


def test_tensorboard_writes_scalars(ask, made, tmp_path, no_page):
    said = ask("run", made / "toy.toml", "--workdir", tmp_path, "--tensorboard")
    assert said.code == 0
    assert list((tmp_path / "toy/tensorboard").glob("events*"))


@pytest.mark.parametrize(
    ("kind", "name"), [("html", "report.html"), ("json", "report.json"), ("card", "MODEL_CARD.md")]
)
def test_report_of_each_format(ask, made, kind, name):
    told = one(ask("report", made / "runs/toy", "--format", kind, "--json"))
    assert told == {"path": str(made / "runs/toy" / name)}
    content = Path(told["path"]).read_text(encoding="utf-8")
    assert "accuracy" in content
    if kind == "json":
        assert set(json.loads(content)) == {"run", "matrix"}


def test_report_goes_where_it_is_told(ask, made, tmp_path):
    out = tmp_path / "new/card.md"
    said = ask("report", made / "runs/toy", "--format", "card", "--stage", "plain", "--out", out)
    assert said.code == 0
    assert str(out) in said.err
    assert "plain" in out.read_text(encoding="utf-8")


def test_compare_puts_runs_side_by_side(ask, made):
    run = made / "runs/toy"
    said = ask("compare", run, run)
    assert said.code == 0
    assert "toy/other" in said.out
    assert "toy/other#2" in said.out
    told = one(ask("compare", run, run, "--stage", "plain", "--json"))
    assert {r["stage"] for r in told} == {"toy/plain", "toy/plain#2"}
    assert "学习" in ask("compare", run, run, "--lang", "zh").out


def test_runs_on_different_data_are_shown_but_not_judged(ask, made, tmp_path, no_page):
    recipe = table(data={"use": "toy:Points", "n": 300}, name="other")
    (tmp_path / "other.toml").write_text(tomli_w.dumps(recipe))
    assert ask("run", tmp_path / "other.toml", "--workdir", tmp_path).code == 0
    said = ask("compare", made / "runs/toy", tmp_path / "other", "--stage", "plain")
    assert said.code == 0
    assert "different data" in said.err
    told = one(ask("compare", made / "runs/toy", tmp_path / "other", "--json"))
    assert {r["stage"] for r in told} == {"toy/other", "other/other"}
    assert not any("judgement" in r for r in told)
    told = one(ask("compare", made / "runs/toy", made / "runs/toy", "--json"))
    assert any("judgement" in r for r in told)


def test_a_kept_policy_passes(ask, made):
    said = ask("gate", made / "runs/toy", "--policy", made / "kept.toml")
    assert said.code == 0
    assert "PASS" in said.out
    assert "The gate is passed; checks: 1." in said.err


def test_the_policy_of_the_recipe_is_the_default(ask, made):
    told = one(ask("gate", made / "runs/toy", "--json"))
    assert {"schema", "run", "passed", "checks"} == set(told)
    assert [c["id"] for c in told["checks"]] == ["learning.accuracy", "security.blind"]


def test_gate_as_junit(ask, made, tmp_path):
    out = tmp_path / "gate.xml"
    ask("gate", made / "runs/toy", "--policy", made / "broken.toml", "--junit", out)
    assert "<failure" in out.read_text(encoding="utf-8")


def test_gate_in_chinese(ask, made):
    said = ask("gate", made / "runs/toy", "--policy", made / "broken.toml", "--lang", "zh")
    assert "未通过" in said.out
    assert "不低于 0.999" in said.out
    assert said.err.startswith("错误")


def test_bundle_and_verify(ask, bundle, made):
    told = one(ask("verify", bundle, "--json"))
    assert told == {"path": str(bundle), "stage": "lazy", "signed": True, "signer": told["signer"]}
    assert len(told["signer"]) == 64
    assert "give --key" in ask("verify", bundle).err
    assert "signed by the given key" in ask("verify", bundle, "--key", made / "key.pub.pem").err


def test_an_unsigned_bundle_is_called_unsigned(ask, made, tmp_path):
    told = one(ask("bundle", made / "runs/toy", "--out", tmp_path / "b", "--json"))
    assert told == {"path": str(tmp_path / "b"), "stage": "other", "signed": False, "signer": ""}
    assert "unsigned" in ask("verify", tmp_path / "b").err
    assert "未签名" in ask("verify", tmp_path / "b", "--lang", "zh").err


def test_a_bundle_is_replaced_only_if_told_so(ask, made, tmp_path):
    words = ("bundle", made / "runs/toy", "--out", tmp_path / "b")
    assert ask(*words).code == 0
    assert ask(*words).code == 3
    assert ask(*words, "--overwrite").code == 0


def test_list_names_what_a_recipe_can_name(ask, monkeypatch):
    told = one(ask("list", "--json"))
    assert all(set(e) == {"name", "kind", "about"} and all(e.values()) for e in told)
    kinds = {e["name"]: e["kind"] for e in told}
    assert kinds["privacy.DPSGD"] == "step"
    assert kinds["learning.Accuracy"] == "probe"
    assert kinds["models.MLP"] == "part"
    monkeypatch.setenv("COLUMNS", "100")
    lines = ask("list").out.splitlines()
    assert max(map(len, lines)) <= 100
    assert not any(line.rstrip().endswith("…") for line in lines)
    assert "步骤" in ask("list", "--lang", "zh").out


def test_every_name_of_the_list_can_be_shown_in_full(ask):
    for entry in one(ask("list", "--json")):
        said = ask("list", entry["name"])
        assert said.code == 0
        assert f'use = "{entry["name"]}"' in said.out
        told = one(ask("list", entry["name"], "--json"))
        assert set(told) == {"name", "kind", "about", "fields"}


def test_doctor_says_what_to_mend(ask, monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    told = one(ask("doctor", "--json"))
    assert {"torch", "threads", "free disk", "extra track"} <= {c["name"] for c in told}
    policy = next(c for c in told if c["name"] == "OMP_WAIT_POLICY")
    assert policy["is_fine"] is False
    assert "PASSIVE" in policy["mend"]
    said = ask("doctor", "--lang", "zh")
    assert said.code == 0
    assert "需要处理" in said.err
    assert "可用磁盘" in said.out


def test_init_writes_a_recipe_that_can_be_read(ask, tmp_path):
    from fivefold.recipe import read_recipe
    from fivefold.report import read_policy

    told = one(ask("init", tmp_path / "clinic", "--json"))
    assert told == {
        "files": [
            str(tmp_path / "clinic" / f) for f in ("recipe.toml", "policy.toml", "statements.toml")
        ]
    }
    recipe = read_recipe(tmp_path / "clinic/recipe.toml")
    assert recipe.name == "clinic"
    assert [s.name for s in recipe.steps] == ["plain", "robust", "small"]
    assert len(read_policy(tmp_path / "clinic/policy.toml").limits) == 3
    assert ask("init", tmp_path / "clinic").code == 3


@pytest.mark.parametrize("target", ["ill", "dose"])
def test_init_looks_at_the_data(ask, tmp_path, target):
    from fivefold.recipe import read_recipe

    rows = [f"{i},{i * 7 % 13}.5,{'yes' if i % 2 else 'no'}" for i in range(40)]
    path = tmp_path / 'pa"tients.csv'
    path.write_text("\n".join(["age,dose,ill", *rows]))
    assert ask("init", tmp_path / "x", "--data", path, "--target", target).code == 0
    recipe = read_recipe(tmp_path / "x/recipe.toml")
    assert [s.name for s in recipe.steps][1:] == (["robust", "small"] if target == "ill" else [])
    policy = (tmp_path / "x/policy.toml").read_text()
    assert ("learning.r2" in policy) == (target == "dose")


def test_demo_ends_by_saying_what_to_do_next(ask, made, tmp_path, monkeypatch, no_page):
    from fivefold.cli import demo

    monkeypatch.setattr(demo, "RECIPES", ("toy",))
    monkeypatch.setattr(demo, "recipe_file", lambda name: made / f"{name}.toml")
    monkeypatch.setattr(demo.demo_served, "show", lambda run, bundle, voice: {"ordinary": 200})
    monkeypatch.setattr(demo.demo_audit, "show", without_an_extra)
    said = ask("demo", "--workdir", tmp_path)
    assert said.code == 0
    assert "fivefold init" in said.err.partition("What next:")[2]
    assert str(tmp_path / "toy/report.html") in said.err
    assert "signed by the given key" in said.err
    told = one(ask("demo", "--workdir", tmp_path, "--json", "--lang", "zh"))
    runs = [{"run": str(tmp_path / "toy"), "passed": True, "bundle": str(tmp_path / "toy/toy.bundle")}]  # fmt: skip
    assert told == {"runs": runs, "served": {"ordinary": 200}, "audited": None}
    assert "skops" in said.err  # what is left out, and how to have it


def without_an_extra(workdir, voice):
    raise MissingExtra("skops is not installed.", mend="Install it.")


def test_every_help_has_its_chinese():
    import typer

    command = typer.main.get_command(app)
    verbs = command.commands.values()  # type: ignore[attr-defined]
    said = [v.help.strip() for v in verbs] + [p.help for v in verbs for p in v.params if getattr(p, "help", None)]  # fmt: skip
    assert [s for s in said if s not in chinese()] == []
