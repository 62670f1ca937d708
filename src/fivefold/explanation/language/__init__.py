"""Words of a text, and words of a prompt, as what moved an answer."""

from fivefold.explanation.language.answer import AnswerExplainer, Prompt, explain_answer
from fivefold.explanation.language.matrix import draw_matrix, matrix_html
from fivefold.explanation.language.words import WordExplainer

__all__ = [
    "AnswerExplainer",
    "Prompt",
    "WordExplainer",
    "draw_matrix",
    "explain_answer",
    "matrix_html",
]
