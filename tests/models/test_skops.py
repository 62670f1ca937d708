"""Files of skops: what people have opens, and nothing in a hostile one runs or crashes."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from hostile import payload
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

from fivefold.core.errors import BadInput, Damaged
from fivefold.models import open_model
from fivefold.models.skops import load_skops


def fitted(table, estimator):
    train = table.splits.seen.train
    return estimator.fit(train.x.numpy(), np.array(["no", "yes"])[train.y.numpy()])


def opened(table, path, trusted=()):
    return open_model(str(path), task=table.task, schema=table.schema, trusted=trusted)


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        RandomForestClassifier(5, max_depth=4, random_state=0),
        GradientBoostingClassifier(n_estimators=5),
        HistGradientBoostingClassifier(max_iter=5),
        MLPClassifier((4,), tol=1, random_state=0),
        CalibratedClassifierCV(LinearSVC(), cv=2),
    ],
    ids=lambda e: type(e).__name__,
)
def test_what_people_have_opens_and_answers_the_same(table, estimator, tmp_path):
    skops.io.dump(fitted(table, estimator), tmp_path / "model.skops")
    x = table.splits.test.x
    told = opened(table, tmp_path / "model.skops").predict(x).softmax(-1)
    assert np.allclose(told, estimator.predict_proba(x.numpy()), atol=1e-5)


def test_a_type_that_is_not_trusted_is_named(table, tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump(fitted(table, KNeighborsClassifier()), path)
    kinds = skops.io.get_untrusted_types(file=path)
    with pytest.raises(BadInput, match="KDTree"):
        opened(table, path)
    assert opened(table, path, kinds).predict(table.splits.test.x).shape == (100, 2)


@pytest.mark.parametrize("function", [np.save, np.memmap, Path.touch, print, exec], ids=repr)
def test_functions_are_not_trusted(table, function, tmp_path):
    train = table.splits.seen.train
    bad = make_pipeline(FunctionTransformer(), LogisticRegression()).fit(train.x.numpy(), train.y)
    bad.steps[0][1].func = function
    skops.io.dump(bad, tmp_path / "model.skops")
    with pytest.raises((BadInput, Damaged)):
        opened(table, tmp_path / "model.skops")


@pytest.mark.parametrize("ending", [".skops", ".pkl", ".joblib", ".pt", ".bin", ".pt2"])
def test_a_pickle_is_refused_by_any_name(table, ending, tmp_path):
    path = tmp_path / f"model{ending}"
    path.write_bytes(payload(tmp_path / "canary"))
    with pytest.raises(Damaged):
        opened(table, path)
    assert not (tmp_path / "canary").exists()


def changed(path: Path, old: bytes, new: bytes) -> None:
    """Write the archive again with other bytes inside its members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert any(old in content for content in members.values())
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content.replace(old, new))


def test_a_tree_that_points_outside_is_refused(table, tmp_path):
    path = tmp_path / "model.skops"
    forest = fitted(table, RandomForestClassifier(2, max_depth=3, random_state=0))
    tree = forest.estimators_[1].tree_
    nodes = tree.__getstate__()["nodes"]
    skops.io.dump(forest, path)
    load_skops(path)
    for field, value in (("feature", 10**6), ("left_child", 10**6), ("right_child", 0)):
        wrong = nodes.copy()
        wrong[field][0] = value
        skops.io.dump(forest, path)
        changed(path, nodes.tobytes(), wrong.tobytes())
        with pytest.raises(Damaged, match="outside its memory"):
            load_skops(path)


@pytest.mark.parametrize(("field", "value"), [("feature_idx", 10**6), ("left", 10**6), ("right", 0), ("is_categorical", 1)])  # fmt: skip
def test_a_histogram_tree_that_points_outside_is_refused(table, field, value, tmp_path):
    path = tmp_path / "model.skops"
    boosting = fitted(table, HistGradientBoostingClassifier(max_iter=2))
    boosting._predictors[1][0].nodes[field][0] = value
    skops.io.dump(boosting, path)
    with pytest.raises(Damaged, match="outside its memory"):
        load_skops(path)


def test_damaged_archives_are_refused(table, tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump(fitted(table, LogisticRegression()), path)
    whole = path.read_bytes()
    for told in (b"", b"PK\x03\x04", whole[:-30], whole.replace(b"__class__", b"__klass__"), b"\x80" * 99):  # fmt: skip
        path.write_bytes(told)
        with pytest.raises(Damaged):
            opened(table, path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.pkl", payload(tmp_path / "canary"))
    with pytest.raises(Damaged, match="schema"):
        opened(table, path)
