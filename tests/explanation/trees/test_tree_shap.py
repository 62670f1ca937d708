"""Every library's trees, against listing all sets of features and asking the library itself."""

from itertools import product
from math import factorial
from typing import Any

import lightgbm
import numpy as np
import polars
import pytest
import torch
import xgboost
from sklearn import ensemble, tree
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fivefold.core.errors import NotMeasurable
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.explanation import ExactShapley, explain
from fivefold.explanation.trees import TreeSHAP, has_trees
from fivefold.models import SklearnModel
from fivefold.perturb import Features
from seeding import seeded

N, CATEGORY, GAPS = 5, 2, 1


def rows(n, seed):
    """Numbers with a few ties, one column of categories, one with missing values."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, N)).round(1)
    x[:, CATEGORY] = rng.integers(0, 7, n)
    x[rng.random(n) < 0.3, GAPS] = np.nan
    return x.astype(np.float32)


def target(x, kind, seed):
    """A number, or one of some classes, that all columns have a say in."""
    rng = np.random.default_rng(seed)
    gap = np.nan_to_num(x[:, GAPS], nan=2.0)
    score = x[:, 0] * gap + np.sin(3 * x[:, CATEGORY]) + (x[:, 3] > 0) * x[:, 4]
    score = score + 0.2 * rng.normal(size=len(x))
    if kind == "number":
        return np.abs(score)
    return np.digitize(score, np.quantile(score, np.linspace(0, 1, kind + 1)[1:-1]))


def model_of(estimator, kind, columns=N):
    task = Task(kind="regression") if kind == "number" else Task(classes=tuple("abcd"[:kind]))
    told = tuple(Column(name=f"c{i}", is_optional=True) for i in range(columns))
    return SklearnModel(
        estimator=estimator, task=task, schema=Schema(columns=told, shape=(columns,))
    )


def by_definition(score, x, background, members):
    """Weigh every set of features; hidden ones come from each background row in turn."""
    n = max(members) + 1
    worth = {}
    for kept in product((False, True), repeat=n):
        mask = np.array(kept)[np.array(members)]
        mixed = np.where(mask, x[:, None], background).reshape(-1, x.shape[1])
        worth[kept] = score(mixed).reshape(len(x), len(background), -1).mean(1)
    values = np.zeros((len(x), n, next(iter(worth.values())).shape[1]))
    for kept, without in worth.items():
        weight = factorial(sum(kept)) * factorial(n - 1 - sum(kept)) if sum(kept) < n else 0
        for i in (i for i in range(n) if not kept[i]):
            gain = worth[(*kept[:i], True, *kept[i + 1 :])] - without
            values[:, i] += weight / factorial(n) * gain
    return values


def check(estimator, kind, score, seed=0, features=None):
    """Compare with the definition; the score is the library's own."""
    x, background = rows(4, seed + 1), rows(7, seed + 2)
    x[0, CATEGORY], background[1, CATEGORY] = 50, 9  # categories that nobody has seen
    model, features = model_of(estimator, kind), features or Features()
    found = TreeSHAP(features=features)(
        model, torch.tensor(x), torch.tensor(background), rng=seeded()
    )
    members = features.of(model.schema).member.tolist()
    wanted = by_definition(
        lambda rows: np.asarray(score(rows), dtype=float), x, background, members
    )
    scale = max(1.0, np.abs(wanted).max())
    assert np.abs(found.values.numpy()[..., -wanted.shape[2] :] - wanted).max() < 2e-6 * scale
    assert found.gap.abs().max() < 1e-9
    assert found.error is None
    return found


BOOSTED: dict[str, Any] = {"n_estimators": 6, "random_state": 0}
LIGHT: dict[str, Any] = {
    "n_estimators": 6,
    "num_leaves": 12,
    "min_child_samples": 5,
    "verbose": -1,
    "n_jobs": 1,
    "min_data_per_group": 5,
    "cat_smooth": 1.0,
}
QUICK: dict[str, Any] = {"n_estimators": 200, "learning_rate": 0.9}
EXTREME: dict[str, Any] = {
    "n_estimators": 6,
    "max_depth": 4,
    "n_jobs": 1,
    "max_cat_to_onehot": 1,
    "enable_categorical": True,
    "feature_types": ["q", "q", "c", "q", "q"],
}


def lightgbm_of(kind, seed=0, **settings) -> Any:
    """A LightGBM model with a column of categories."""
    made = lightgbm.LGBMRegressor if kind == "number" else lightgbm.LGBMClassifier
    x = rows(300, seed)
    return made(**LIGHT | settings).fit(x, target(x, kind, seed), categorical_feature=[CATEGORY])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"zero_as_missing": True},
        {"use_missing": False},
        {"boosting_type": "dart", "drop_rate": 0.5},
        {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
        {"objective": "poisson"},
        {"n_estimators": 1, "min_child_samples": 1000},
    ],
    ids=str,
)
def test_lightgbm_regression(settings):
    estimator = lightgbm_of("number", **settings)
    share = 1 / 6 if settings.get("boosting_type") == "rf" else 1
    found = check(estimator, "number", lambda x: share * estimator.predict(x, raw_score=True))
    wanted = "logarithm of the target" if "objective" in settings else "units of the target"
    assert str(found.unit) == wanted


@pytest.mark.parametrize("settings", [{}, {"sigmoid": 2.0}, {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}], ids=str)  # fmt: skip
def test_lightgbm_two_classes_are_opposite_log_odds(settings):
    estimator = lightgbm_of(2, **settings)

    def log_odds(x):
        p = estimator.predict_proba(x)
        return np.log(p[:, 1] / p[:, 0])

    found = check(estimator, 2, log_odds)
    assert torch.equal(found.values[..., 0], -found.values[..., 1])
    assert str(found.unit) == "log-odds"


@pytest.mark.parametrize("objective", ["multiclass", "multiclassova"])
def test_lightgbm_three_classes(objective):
    estimator = lightgbm_of(3, objective=objective)
    check(estimator, 3, lambda x: estimator.predict(x, raw_score=True))


def test_lightgbm_that_stopped_early():
    x, more = rows(300, 3), rows(300, 4)
    estimator = lightgbm.LGBMRegressor(**LIGHT | QUICK)
    estimator.fit(
        x,
        target(x, "number", 3),
        eval_X=more,
        eval_y=target(more, "number", 4),
        callbacks=[lightgbm.early_stopping(3, verbose=False)],
    )
    assert estimator.best_iteration_ < 200
    check(estimator, "number", estimator.predict)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("number", {}),
        ("number", {"booster": "dart", "rate_drop": 0.5}),
        ("number", {"objective": "count:poisson"}),
        ("number", {"base_score": 0.7, "num_parallel_tree": 2, "subsample": 0.5}),
        ("number", {"missing": 0.0}),
        (2, {}),
        (2, {"base_score": 0.2}),
        (3, {}),
    ],
    ids=str,
)
def test_xgboost(kind, settings):
    made = xgboost.XGBRegressor if kind == "number" else xgboost.XGBClassifier
    x = rows(300, 0)
    estimator = made(**EXTREME | settings).fit(x, target(x, kind, 0))
    check(estimator, kind, lambda x: estimator.predict(x, output_margin=True))


def test_xgboost_that_stopped_early():
    x, more = rows(300, 3), rows(300, 4)
    estimator = xgboost.XGBRegressor(**EXTREME | QUICK, early_stopping_rounds=3)
    estimator.fit(x, target(x, "number", 3), eval_set=[(more, target(more, "number", 4))], verbose=False)  # fmt: skip
    assert estimator.best_iteration < 190
    check(estimator, "number", estimator.predict)


@pytest.mark.parametrize("kind", ["number", 2, 3], ids=str)
@pytest.mark.parametrize("name", ["DecisionTree", "ExtraTree", "RandomForest", "ExtraTrees"])
def test_forests_explain_probabilities(name, kind):
    made = getattr(tree if name in ("DecisionTree", "ExtraTree") else ensemble, name + ("Regressor" if kind == "number" else "Classifier"))  # fmt: skip
    more = {} if made.__module__.startswith("sklearn.tree") else {"n_estimators": 5}
    x = rows(200, 0)
    estimator = made(random_state=0, **more).fit(x, target(x, kind, 0))
    found = check(
        estimator, kind, estimator.predict if kind == "number" else estimator.predict_proba
    )
    if kind != "number":
        assert str(found.unit) == "probability"
        assert torch.allclose(found.score.sum(1), torch.ones(4).double())


@pytest.mark.parametrize("kind", ["number", 2, 3], ids=str)
@pytest.mark.parametrize("categories", [None, [CATEGORY]], ids=str)
def test_histogram_boosting(kind, categories):
    name = "Regressor" if kind == "number" else "Classifier"
    made = getattr(ensemble, f"HistGradientBoosting{name}")
    x = rows(300, 0)
    estimator = made(max_iter=6, categorical_features=categories, min_samples_leaf=5)
    estimator.fit(x, target(x, kind, 0))
    check(estimator, kind, estimator.predict if kind == "number" else estimator.decision_function)


def check_without_gaps(estimator, kind, score):
    """As `check`, for estimators that take no missing values."""
    x, background = np.nan_to_num(rows(4, 1)), np.nan_to_num(rows(7, 2))
    model = model_of(estimator, kind)
    found = TreeSHAP()(model, torch.tensor(x), torch.tensor(background), rng=seeded())
    wanted = by_definition(score, x, background, list(range(N)))
    assert np.abs(found.values.numpy()[..., -wanted.shape[2] :] - wanted).max() < 1e-9
    return found


@pytest.mark.parametrize("settings", [{}, {"loss": "exponential"}, {"init": "zero"}], ids=str)
def test_gradient_boosting_of_two_classes(settings):
    x = np.nan_to_num(rows(200, 0))
    estimator = ensemble.GradientBoostingClassifier(**BOOSTED | settings).fit(x, target(x, 2, 0))

    def log_odds(x):
        p = estimator.predict_proba(x)
        return np.log(p[:, 1] / p[:, 0])

    check_without_gaps(estimator, 2, log_odds)


def test_gradient_boosting_of_three_classes_and_of_numbers():
    x = np.nan_to_num(rows(200, 0))
    three = ensemble.GradientBoostingClassifier(**BOOSTED).fit(x, target(x, 3, 0))
    check_without_gaps(three, 3, three.decision_function)
    number = ensemble.GradientBoostingRegressor(**BOOSTED).fit(x, target(x, "number", 0))
    check_without_gaps(number, "number", number.predict)


@pytest.mark.parametrize("kind", [2, 3])
def test_adaboost_votes(kind):
    x = np.nan_to_num(rows(200, 0))
    weak = tree.DecisionTreeClassifier(max_depth=3, random_state=0)
    estimator = ensemble.AdaBoostClassifier(weak, **BOOSTED).fit(x, target(x, kind, 0))
    share = 1 / (kind - 1)
    check_without_gaps(estimator, kind, lambda v: share * estimator.decision_function(v))
    log_p = np.log(estimator.predict_proba(x))
    margin = share * estimator.decision_function(x)
    if kind == 2:
        assert np.allclose(log_p[:, 1] - log_p[:, 0], margin)
    else:  # the unit is a score before softmax
        assert np.allclose(torch.tensor(margin).log_softmax(-1), log_p)


def test_columns_that_count_together_are_one_player():
    estimator = lightgbm_of("number")
    features = Features(together=(("c0", "c3"), ("c1", "c4")))
    together = check(estimator, "number", estimator.predict, features=features)
    alone = check(estimator, "number", estimator.predict)
    assert together.names == ("c0 + c3", "c1 + c4", "c2")
    summed = alone.values[:, 0] + alone.values[:, 3]
    assert (
        together.values[:, 0] - summed
    ).abs().max() > 1e-3  # a group is not the sum of its members


def test_unused_columns_get_exactly_nothing():
    x = rows(300, 0)
    y = target(x, "number", 0)
    x[:, 4] = 1.0
    estimator = lightgbm.LGBMRegressor(**LIGHT).fit(x, y)
    found = check(estimator, "number", estimator.predict)
    assert (found.values[:, 4] == 0).all()


def test_values_of_a_forest_are_the_mean_over_its_trees():
    x = rows(200, 0)
    forest = ensemble.RandomForestRegressor(n_estimators=4, random_state=0)
    forest.fit(x, target(x, "number", 0))
    rows_, background = torch.tensor(rows(6, 1)), torch.tensor(rows(9, 2))

    def values_of(estimator):
        return TreeSHAP()(model_of(estimator, "number"), rows_, background, rng=seeded()).values

    single = torch.stack([values_of(member) for member in forest.estimators_])
    assert torch.allclose(values_of(forest), single.mean(0), atol=1e-12)


def test_outputs_follow_the_classes_of_the_task():
    x = rows(200, 0)
    words = np.array(["b", "a"])[target(x, 2, 0)]  # the estimator sorts them the other way
    estimator = ensemble.RandomForestClassifier(n_estimators=3, random_state=0).fit(x, words)
    model = model_of(estimator, 2)
    found = TreeSHAP()(model, torch.tensor(x[:5]), torch.tensor(x[5:9]), rng=seeded())
    assert found.outputs == ("a", "b")
    told = estimator.predict_proba(x[:5])
    assert np.allclose(found.score.numpy(), told)


def test_steps_that_treat_each_column_by_itself():
    x = rows(300, 0)
    prepare = ColumnTransformer(
        [
            ("one-hot", OneHotEncoder(handle_unknown="ignore"), [CATEGORY]),
            (
                "filled",
                make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()),
                [4, GAPS],
            ),
            ("as it is", "passthrough", [0]),
        ]
    )
    estimator = make_pipeline(prepare, ensemble.RandomForestClassifier(5, random_state=0))
    estimator.fit(x, target(x, 2, 0))
    found = check(estimator, 2, estimator.predict_proba)
    assert (found.values[:, 3] == 0).all()  # dropped before the trees
    assert found.values[:, CATEGORY].abs().max() > 0


def test_steps_that_mix_columns_are_refused():
    x = np.nan_to_num(rows(100, 0))
    estimator = make_pipeline(PCA(2), tree.DecisionTreeRegressor()).fit(x, x[:, 0])
    with pytest.raises(NotMeasurable, match="PCA"):
        TreeSHAP()(model_of(estimator, "number"), torch.tensor(x[:2]), torch.tensor(x[:3]), rng=seeded())  # fmt: skip


def test_linear_leaves_and_strangers_are_refused():
    x = np.nan_to_num(rows(200, 0))
    bent = lightgbm.LGBMRegressor(**LIGHT, linear_tree=True).fit(x, target(x, "number", 0))
    neighbours = KNeighborsRegressor().fit(x, x[:, 0])
    for estimator, reason in ((bent, "linear models"), (neighbours, "KNeighborsRegressor")):
        with pytest.raises(NotMeasurable, match=reason):
            TreeSHAP()(model_of(estimator, "number"), torch.tensor(x[:2]), torch.tensor(x[:3]), rng=seeded())  # fmt: skip
        assert not has_trees(model_of(estimator, "number"))
    assert has_trees(model_of(lightgbm_of("number"), "number"))


def test_trees_that_answer_otherwise_are_refused(monkeypatch):
    estimator = lightgbm_of("number")
    told = estimator.booster_.model_to_string().replace("leaf_value=", "leaf_value=1", 1)
    monkeypatch.setattr(estimator.booster_, "model_to_string", lambda: told)
    x = torch.tensor(rows(50, 1))
    with pytest.raises(NotMeasurable, match="answers otherwise"):
        TreeSHAP()(model_of(estimator, "number"), x[:20], x[20:], rng=seeded())


def test_explain_takes_trees_by_itself(rng):
    estimator = lightgbm_of(2)
    x = torch.tensor(rows(12, 1))
    found = explain(model_of(estimator, 2), x[:4], x[4:], rng=rng)
    assert found.method == "TreeSHAP"
    assert "trees" in str(found.reason)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"multi_strategy": "multi_output_tree"}, "several numbers"),
        ({"booster": "gblinear", "max_depth": None}, "no trees"),
        ({"objective": "reg:absoluteerror", "base_score": 1.0}, ""),
        ({"objective": "reg:pseudohubererror"}, ""),
        ({"objective": "rank:pairwise"}, "rank:pairwise"),
    ],
    ids=str,
)
def test_xgboost_models_of_other_kinds(settings, reason):
    x = rows(200, 0)
    kind = "number" if "objective" in settings else 3
    made = xgboost.XGBRegressor if kind == "number" else xgboost.XGBClassifier
    plain = {"n_estimators": 3, "n_jobs": 1} | settings
    model = model_of(made(**plain).fit(x, target(x, kind, 0)), kind)
    given = torch.tensor(x[:3]), torch.tensor(x[3:9])
    if not reason:
        assert TreeSHAP()(model, *given, rng=seeded()).gap.abs().max() < 1e-9
        return
    with pytest.raises(NotMeasurable, match=reason):
        TreeSHAP()(model, *given, rng=seeded())


def test_columns_by_name_and_categories_by_their_own_words():
    """The estimator was fitted on a frame whose columns lie in another order than the schema's."""
    rng = np.random.default_rng(0)
    colour, age = rng.integers(0, 3, 200), rng.integers(20, 80, 200).astype(float)
    age[::9] = np.nan
    frame = polars.DataFrame({"age": age, "colour": np.array(["blue", "green", "red"])[colour]})
    y = (colour == 1) ^ (np.nan_to_num(age) > 50)
    settings: dict[str, Any] = {"max_iter": 10, "categorical_features": ["colour"]}
    estimator = ensemble.HistGradientBoostingClassifier(**settings).fit(frame, y)
    names = ("blue", "green", "red")
    columns = (
        Column(name="colour", kind="category", categories=names, is_optional=True),
        Column(name="age", is_optional=True),
    )
    schema, task = Schema(columns=columns, shape=(2,)), Task(classes=("False", "True"))
    model = SklearnModel(estimator=estimator, task=task, schema=schema)
    x = torch.tensor(np.stack([colour, age], 1)).float()
    found = TreeSHAP()(model, x[:5], x[5:25], rng=seeded())
    wanted = ExactShapley()(model, x[:5], x[5:25], rng=seeded())
    assert found.names == ("colour", "age")
    assert torch.allclose(found.values, wanted.values, atol=1e-4)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_a_regression_of_probabilities_has_one_output(library):
    x = rows(200, 0)
    y = target(x, 2, 0)
    made: Any = {
        "lightgbm": lambda: lightgbm.LGBMRegressor(**LIGHT, objective="binary"),
        "xgboost": lambda: xgboost.XGBRegressor(**EXTREME, objective="reg:logistic"),
    }[library]()
    found = TreeSHAP()(
        model_of(made.fit(x, y), "number"), torch.tensor(x[:4]), torch.tensor(x[4:9]), rng=seeded()
    )
    assert found.values.shape == (4, N, 1)
    assert str(found.unit) == "log-odds"
    assert np.allclose(found.score[:, 0].sigmoid(), made.predict(x[:4]), atol=1e-5)


def test_an_objective_of_ones_own_is_refused():
    x = rows(200, 0)
    y = target(x, "number", 0)

    def squares(truth, answer):
        return answer - truth, np.ones_like(truth)

    estimator = lightgbm.LGBMRegressor(**LIGHT, objective=squares).fit(x, y)
    with pytest.raises(NotMeasurable, match="custom"):
        TreeSHAP()(model_of(estimator, "number"), torch.tensor(x[:2]), torch.tensor(x[2:5]), rng=seeded())  # fmt: skip
