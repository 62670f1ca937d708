"""What the report says of the nouns: axes, evidence, settings, sentences that came with the run."""

from fivefold.core.text import Language, Text, translate
from fivefold.report.row import Row

SHORT = frozenset({"auc", "roc", "tpr", "fpr", "f1", "rmse", "mae", "r2", "ece", "nll", "dp"})


def words(sentence: Text, language: Language) -> str:
    """Return a sentence that came with a run; one that does not fit its facts is shown as it is."""
    try:
        return sentence.words(language)
    except (LookupError, ValueError, AttributeError, TypeError):
        return sentence.template


def title(name: str, language: Language) -> str:
    """Return a snake-case name of evidence or a column as words."""
    told = name.replace("_", " ")
    if language == "zh":
        return translate(told, language)
    return " ".join(word.upper() if word in SHORT else word for word in told.split(" "))


def capital(told: str) -> str:
    """Return a heading: the same words, the first letter large."""
    return told[0].upper() + told[1:] if told[:1].isascii() and told else told


def setting(told: str, language: Language) -> str:
    """Return a setting in `language`: as a whole if it has a translation, else part by part."""
    whole = translate(told, language)
    if whole != told or language == "en":
        return whole
    return "，".join(translate(part.strip(), language) for part in told.split(","))


def label(row: Row, language: Language) -> str:
    """Return the name of a row with its setting."""
    name = title(row.name, language)
    if not row.setting:
        return name
    inside = setting(row.setting, language)
    return f"{name} ({inside})" if language == "en" else f"{name}（{inside}）"
