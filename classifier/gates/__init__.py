"""Quality gates: is a cheap tier's answer good enough to be kept?

from classifier.gates import Agreement, Judge, default_gate
gate = default_gate() & (Agreement(k=2) | Judge("medium"))
"""

from classifier.errors import MalformedAnswerError
from classifier.gates.agreement import Agreement
from classifier.gates.answer import Answer, ToolCall, read_answer
from classifier.gates.check import Check
from classifier.gates.code import ParsesAsCode
from classifier.gates.default import default_gate
from classifier.gates.features import ANSWER_FEATURES, FEATURE_NOTES, answer_features
from classifier.gates.finish import Finished, NotEmpty
from classifier.gates.gate import AllOf, AnyOf, Ask, Gate, SimpleGate, Steps, Verdict, run_gate
from classifier.gates.judge import DEFAULT_PROMPT, Judge
from classifier.gates.learned import LearnedGate, SecondOpinion
from classifier.gates.logprob import MeanLogprob
from classifier.gates.normalise import FinalAnswer, final_answer, normalise
from classifier.gates.shape import Length, Matches
from classifier.gates.structure import MatchesSchema, ValidJson, ValidToolCalls
from classifier.gates.wording import NoHedging, NoRefusal

__all__ = [
    "ANSWER_FEATURES",
    "DEFAULT_PROMPT",
    "FEATURE_NOTES",
    "Agreement",
    "AllOf",
    "Answer",
    "AnyOf",
    "Ask",
    "Check",
    "FinalAnswer",
    "Finished",
    "Gate",
    "Judge",
    "LearnedGate",
    "Length",
    "MalformedAnswerError",
    "Matches",
    "MatchesSchema",
    "MeanLogprob",
    "NoHedging",
    "NoRefusal",
    "NotEmpty",
    "ParsesAsCode",
    "SecondOpinion",
    "SimpleGate",
    "Steps",
    "ToolCall",
    "ValidJson",
    "ValidToolCalls",
    "Verdict",
    "answer_features",
    "default_gate",
    "final_answer",
    "normalise",
    "read_answer",
    "run_gate",
]
