"""`import fivefold` is instant, and every name that it promises is there."""

import subprocess
import sys

import pytest

import fivefold as ff


@pytest.mark.parametrize("name", ff.__all__)
def test_every_promised_name_is_there(name):
    assert getattr(ff, name) is not None
    assert name in dir(ff)


def test_another_name_is_refused_with_those_that_exist():
    with pytest.raises(AttributeError, match="read_recipe"):
        _ = ff.Recipes


def test_importing_it_loads_no_torch():
    code = "import sys, fivefold; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
