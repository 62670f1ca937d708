"""Names of people, by rules: a title or a word such as "联系人" must stand beside them.

Rules are no reader: a name without such a word is missed, and a word that looks like a name is taken.
"""

import re

from fivefold.privacy.personal.finder import Finder, Span

SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎"
    "余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
)
DOUBLE = "欧阳|司马|上官|诸葛|东方|皇甫|尉迟|公孙|慕容|令狐|夏侯|司徒"
NO_GIVEN_NAME = "的了是在和与及或住电邮手号地有为我你他她先女老医教经主总律同工要说去来到已于从"
SURNAME = f"(?:{DOUBLE}|[{SURNAMES}])"
GIVEN = f"[\u4e00-\u9fff](?<![{NO_GIVEN_NAME}])"
TITLE = "先生|女士|小姐|老师|医生|教授|经理|主任|律师|同学|同志|总监|师傅"
TOLD = "姓名|名字|联系人|收件人|收货人|寄件人|患者|客户|申请人|投保人|被保险人|户主|我叫|名叫|我是"
CAPITAL = r"[A-Z][a-z]{1,20}(?:[-'][A-Z][a-z]{1,20})?"
FULL = rf"{CAPITAL}(?: (?:[A-Z]\.|{CAPITAL})){{0,3}}"
POLITE = "Mr|Mrs|Ms|Miss|Dr|Prof|Sir|Madam"
NOBODY = POLITE + "|All|Colleagues?|Customers?|Everyone|Friends?|Sirs|Students?|Team"

CHINESE_NAME = Finder(
    kind="personal name",
    pattern=re.compile(
        rf"(?:(?:{TOLD})[ ]?(?:是|为|叫)?[:： ]{{0,3}}(?P<told>{SURNAME}(?:{GIVEN}){{1,2}})"
        rf"|(?P<titled>{SURNAME}(?:{GIVEN}){{0,2}})(?={TITLE}))"
    ),
    check=lambda match: Span(*match.span(match.lastgroup or 0)),
    confidence="rule",
)
ENGLISH_NAME = Finder(
    kind="personal name",
    pattern=re.compile(
        rf"(?:\b(?:{POLITE})\b\.?|\b[Mm]y name is|\bDear|\b(?:[Ff]ull )?[Nn]ame:)[ ]{{1,2}}"
        rf"(?P<value>(?!(?:{NOBODY})\b){FULL})(?![A-Za-z])"
    ),
    confidence="rule",
)
