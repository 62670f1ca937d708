"""The verb that turns a recipe's federated step into a folder for Flower; no Flower is needed to write one."""

import json
from dataclasses import replace

import pytest
import tomli_w
import torch

from fivefold.core.data import as_tensor
from fivefold.models import load_model
from fivefold.privacy import Federated
from fivefold.privacy.federated import Dirichlet
from fivefold.privacy.federated.flower.deployment import read_plan
from fivefold.privacy.federated.flower.rows import rows_for
from fivefold.recipe import read_recipe, run
from toy import CALLS, Points
from toyrecipe import table

NAMES = "bank-c,bank-a,bank-b"
FEDERATED = {"name": "together", "use": "privacy.Federated", "rounds": 2, "lr": 0.05}
FINETUNE = {"name": "plain", "use": "learning.Finetune", "epochs": 1}
PRIVATE = FEDERATED | {"private": {"use": "privacy.federated.ClientPrivacy", "delta": 1e-3}}
LAZY = {"use": "toy:Sleepy"}


def written(folder, *steps, **changes):
    """Write a recipe of these steps and return its path."""
    path = folder / "toy.toml"
    given = table(steps=list(steps), **changes)
    path.write_text(tomli_w.dumps(given), encoding="utf-8")
    return path


@pytest.fixture
def federate(ask, tmp_path):
    """Return a function that asks for the federation `out` of a recipe."""

    def asked(recipe, *words, clients=NAMES):
        to = ("--out", tmp_path / "out", "--workdir", tmp_path / "runs")
        return ask("federate", recipe, "--clients", clients, *to, *words)

    return asked


def changed(monkeypatch, *, is_observed=False):
    """Let the ranges of the toy data be read from the rows or not, and their target have a name."""
    load = Points.load

    def loaded(self, folder, rng):
        data = load(self, folder, rng)
        columns = tuple(replace(c, is_observed=is_observed) for c in data.schema.columns)
        task = replace(data.task, target="side")
        return data._replace(schema=replace(data.schema, columns=columns), task=task)

    monkeypatch.setattr(Points, "load", loaded)


def test_the_folder_is_that_of_the_step_and_says_what_to_do_next(federate, tmp_path, monkeypatch):
    recipe = written(tmp_path, FEDERATED, {"name": "after", **LAZY})
    changed(monkeypatch, is_observed=True)
    said = federate(recipe, "--host", "fed.example", "--port", 9000)
    assert said.code == 0, said.err
    assert "come after it: after" in said.err
    assert "read the recipe's own rows without privacy, in: start" in said.err
    assert "clients/bank-c.csv, clients/bank-a.csv" in said.err
    assert said.err.rstrip().endswith("README.md has the commands, in order.")
    plan = read_plan(tmp_path / "out/app/federation/plan.json")
    assert plan.step == Federated(rounds=2, lr=0.05)
    assert plan.clients == ("bank-c", "bank-a", "bank-b")
    assert "--host fed.example --port 9000" in (tmp_path / "out/README.md").read_text()
    assert not (tmp_path / "out/clients").exists()
    assert not (tmp_path / "runs").exists()


def test_the_model_is_the_one_a_run_has_before_the_step(federate, tmp_path):
    unused = {"name": "aside", "after": "start", **LAZY}
    recipe = written(tmp_path, unused, FINETUNE | {"after": "start"}, FEDERATED)
    done = run(read_recipe(recipe), tmp_path / "elsewhere")
    CALLS.clear()
    assert federate(recipe).code == 0
    assert CALLS == []  # neither the step aside nor a probe
    like = load_model(done.folder / "stages/02-plain")
    start = load_model(tmp_path / "out/start")
    assert start.lineage == like.lineage
    for one, other in zip(start.net.parameters(), like.net.parameters(), strict=True):
        assert torch.equal(one, other)


def test_what_a_run_has_made_is_not_made_again_and_stays_as_it_was(federate, tmp_path):
    before = {"name": "lazy", **LAZY}
    unused = {"name": "aside", **LAZY}
    recipe = written(tmp_path, unused, before | {"after": "start"}, FEDERATED)
    run(read_recipe(recipe), tmp_path / "runs")
    kept = {p: p.read_bytes() for p in (tmp_path / "runs").rglob("*") if p.is_file()}
    CALLS.clear()
    said = federate(recipe)
    assert said.code == 0, said.err
    assert CALLS == []
    assert "2/2 lazy: unchanged" in said.err
    assert kept == {p: p.read_bytes() for p in (tmp_path / "runs").rglob("*") if p.is_file()}


def test_a_trial_shares_out_the_training_rows_under_the_clients_names(
    federate, tmp_path, monkeypatch
):
    changed(monkeypatch)
    recipe = written(tmp_path, FEDERATED | {"clients": {"use": "privacy.federated.Equal"}})
    said = federate(recipe, "--try", "--json")
    assert said.code == 0, said.err
    assert "keeps nothing apart" in said.err
    files = json.loads(said.out)["clients"]
    assert list(files) == NAMES.split(",")
    data = Points().load(tmp_path, torch.Generator())
    parts = [rows_for(data.schema, data.task, tmp_path / "out" / f) for f in files.values()]
    assert [p.size for p in parts] == [40, 40, 40]
    joined = torch.cat([as_tensor(p.x) for p in parts])
    assert torch.equal(joined.sort(0).values, as_tensor(data.splits.seen.train.x).sort(0).values)
    readme = (tmp_path / "out/README.md").read_text()
    assert all(f'rows="{file}"' in readme for file in files.values())


def test_a_trial_has_the_clients_of_the_simulation(federate, tmp_path, monkeypatch):
    owners, draw = [], Dirichlet.owner

    def noted(self, *given):
        owners.append(draw(self, *given))
        return owners[-1]

    monkeypatch.setattr(Dirichlet, "owner", noted)
    changed(monkeypatch)
    clients = {"use": "privacy.federated.Dirichlet", "n_clients": 3}
    recipe = written(tmp_path, FEDERATED | {"clients": clients})
    run(read_recipe(recipe), tmp_path / "elsewhere")
    assert federate(recipe, "--try").code == 0
    assert torch.equal(*owners)


def test_a_partition_that_makes_other_clients_than_are_named_is_refused(federate, tmp_path):
    by = {"use": "privacy.federated.ByColumn", "column": "a"}
    said = federate(written(tmp_path, FEDERATED | {"clients": by}), "--try")
    assert said.code == 3
    assert "to 120 clients, and 3 are named" in said.err
    assert not (tmp_path / "out").exists()


def test_a_private_step_starts_from_a_model_that_has_read_nothing(federate, tmp_path):
    said = federate(written(tmp_path, PRIVATE))
    assert said.code == 0, said.err
    assert "without privacy" not in said.err
    assert "hide, up to epsilon" in (tmp_path / "out/README.md").read_text()


def test_a_private_step_after_a_preparation_that_was_fitted_is_refused_before_anything_is_done(
    federate, tmp_path, monkeypatch
):
    changed(monkeypatch, is_observed=True)
    recipe = written(tmp_path, {"name": "lazy", **LAZY}, PRIVATE)
    CALLS.clear()
    said = federate(recipe)
    assert said.code == 3
    assert "nothing would be guaranteed" in said.err
    assert "(start)" in said.err
    assert CALLS == []
    assert not (tmp_path / "out").exists()


def test_a_private_step_after_a_plain_one_is_refused(federate, tmp_path):
    said = federate(written(tmp_path, FINETUNE, PRIVATE))
    assert said.code == 3
    assert "(plain)" in said.err


def test_names_are_looked_at_before_the_steps_are_carried_out(federate, tmp_path):
    recipe = written(tmp_path, {"name": "lazy", **LAZY}, FEDERATED)
    CALLS.clear()
    assert federate(recipe, clients="bank-a").code == 3
    assert CALLS == []


@pytest.mark.parametrize(
    ("steps", "words", "told"),
    [
        ((FINETUNE,), (), "has no federated step."),
        ((FEDERATED, FEDERATED | {"name": "again"}), (), "with --step: together, again"),
        ((FEDERATED, FINETUNE), ("--step", "plain"), "no federated step called plain"),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_recipe_without_one_clear_step_is_refused(
    federate, tmp_path, steps, words, told, language
):
    said = federate(written(tmp_path, *steps), *words, "--lang", language)
    assert said.code == 3
    assert language == "zh" or told in said.err
    assert language == "en" or "联邦步骤" in said.err
    assert not (tmp_path / "out").exists()


def test_one_of_several_steps_is_taken_by_its_name(federate, tmp_path):
    second = FEDERATED | {"name": "again", "after": "start", "rounds": 7}
    assert federate(written(tmp_path, FEDERATED, second), "--step", "again").code == 0
    assert read_plan(tmp_path / "out/app/federation/plan.json").step.rounds == 7


@pytest.mark.parametrize("name", ["README.md", "app/x", "clients/bank-a.csv"])
def test_nothing_is_overwritten(federate, tmp_path, name):
    there = tmp_path / "out" / name
    there.parent.mkdir(parents=True)
    there.write_text("mine")
    said = federate(written(tmp_path, FEDERATED), "--try")
    assert said.code == 3
    assert "something here already" in said.err
    assert there.read_text() == "mine"
    assert [p for p in (tmp_path / "out").rglob("*") if p.is_file()] == [there]


def test_a_plug_in_that_the_other_machines_would_lack_is_refused(federate, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "fivefold.cli.federate.encode", lambda _: {"use": "toy:Points"}, raising=True
    )
    said = federate(written(tmp_path, FEDERATED))
    assert said.code == 3
    assert "import no plug-ins" in said.err


def test_the_words_are_chinese(federate, tmp_path):
    said = federate(written(tmp_path, FEDERATED), "--lang", "zh")
    assert said.code == 0, said.err
    assert "下一步" in said.err
    assert "密钥" in (tmp_path / "out/README.md").read_text()


def test_an_option_that_is_missing_is_named_in_the_readers_language(ask, tmp_path):
    said = ask("federate", tmp_path / "toy.toml", "--out", tmp_path / "out", "--lang", "zh")
    assert said.code == 2
    assert "缺少选项 --clients" in said.err
