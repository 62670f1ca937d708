"""Names and addresses by rules, which are told apart from what is sure."""

import pytest

from fivefold.privacy.personal import FINDERS, RULES, Pseudonymiser, find_personal

PERSONAL = [
    ("请找王小明先生。", "personal name", "王小明"),
    ("李老师好", "personal name", "李"),
    ("欧阳娜娜女士", "personal name", "欧阳娜娜"),
    ("联系人：张三，", "personal name", "张三"),
    ("我叫刘德华。", "personal name", "刘德华"),
    ("收件人 陈明的电话", "personal name", "陈明"),
    ("Dear Mr. John Smith, thank you", "personal name", "John Smith"),
    ("my name is Mary-Ann O. Jones and", "personal name", "Mary-Ann O. Jones"),
    ("我住在北京市朝阳区建国路88号3号楼2单元501室，", "postal address", "北京市朝阳区建国路88号3号楼2单元501室"),
    ("地址：广东省深圳市南山区科技园路１号", "postal address", "广东省深圳市南山区科技园路１号"),
    ("上海市静安区南京西路1266弄2号", "postal address", "上海市静安区南京西路1266弄2号"),
    ("寄到江西省赣州市于都县长征大道12号。", "postal address", "江西省赣州市于都县长征大道12号"),
    ("文三路478号华星时代广场A座1201室，", "postal address", "文三路478号华星时代广场A座1201室"),
    ("send it to 1600 Pennsylvania Avenue, Washington City, DC 20500 please", "postal address",
     "1600 Pennsylvania Avenue, Washington City, DC 20500"),
    ("at 12 N. Main St, Apt 4B.", "postal address", "12 N. Main St, Apt 4B"),
]  # fmt: skip
ORDINARY = [
    "先生，您好；老师说", "高楼大厦", "走这条道路", "路号", "3 apples and 4 streets", "12 men walked down the street",
    "我是学生", "The doctor said", "Dear Customer, hello", "name: x",
]  # fmt: skip


@pytest.mark.parametrize(("line", "kind", "value"), PERSONAL)
def test_found_by_a_rule(line, kind, value):
    found = find_personal(line, RULES)
    assert [(f.kind, f.text, f.confidence) for f in found] == [(kind, value, "rule")]


@pytest.mark.parametrize("line", ORDINARY)
def test_left_alone(line):
    assert find_personal(line, RULES) == ()


def test_rules_are_used_only_if_asked_for():
    line = "王小明先生 13812345678"
    assert Pseudonymiser()(line) == "王小明先生 [mobile number]"
    assert Pseudonymiser(finders=FINDERS + RULES)(line) == "[personal name]先生 [mobile number]"


@pytest.mark.parametrize(
    "piece", ["王", "路1号", "市", "1 A ", "Mr. A", "Dear Ab ", "1", "一", "在路1号", "A1号楼"]
)
def test_long_hostile_lines_end(piece):
    for finding in find_personal(piece * 30_000, RULES):
        assert finding.end > finding.start
