"""Send a request to the cheapest adequate tier, through one OpenAI-compatible endpoint.

OPENAI_BASE_URL=https://your-endpoint/v1 OPENAI_API_KEY=... python examples/with_openai.py
"""

from openai import OpenAI

from classifier import route

messages = [
    {"role": "system", "content": "You are a careful assistant."},
    {"role": "user", "content": "Summarize in one sentence: the meeting is moved from Monday to Thursday, same room."},
]
decision = route(messages=messages, max_tokens=60, task="summarization")
print(decision.reason)
answer = OpenAI().chat.completions.create(model=decision.model, messages=messages, max_tokens=60)
print(answer.choices[0].message.content)
