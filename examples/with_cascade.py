"""Try a cheap tier, check its answer, go on to a dearer one where it falls short, and remember what happened.

OPENAI_BASE_URL=https://your-endpoint/v1 OPENAI_API_KEY=... python examples/with_cascade.py
"""

from openai import OpenAI

from classifier import Cascade, outcome_id
from classifier.gates import Check, default_gate

gate = default_gate() & Check(lambda answer: len(answer.text.split()) <= 30, name="one sentence")

with Cascade(OpenAI(), gate=gate, start="cheapest", store="sqlite:///outcomes.db") as cascade:
    response = cascade.create(
        messages=[
            {"role": "user", "content": "Summarize in one sentence: the meeting is moved from Monday to Thursday."}
        ],
        max_tokens=60,
        task="summarization",
    )
    print(response.choices[0].message.content)
    cascade.record_feedback(outcome_id(response), score=1.0)  # what the reader thought of it, when you know

# tierwise outcomes stats                          what was asked, kept, escalated and paid
# train-router --store sqlite:///outcomes.db       a router that has learned from it
