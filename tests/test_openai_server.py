"""The test server, seen by the real clients."""

import asyncio
import json

import openai
import pytest

from tests.helpers.openai_server import Fault, OpenAIServer, Reply, context_too_long, rate_limited

MESSAGES = [{"role": "user", "content": "What is the capital of France?"}]
TOOL = {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}
PATIENCE = 10


@pytest.fixture
def client(upstream):
    with openai.OpenAI(base_url=upstream.base_url, api_key="sk-secret", max_retries=0, timeout=PATIENCE) as client:
        yield client


def ask(client, **options):
    return client.chat.completions.create(model="small", messages=MESSAGES, **options)


def run_async(upstream, conversation):
    """Run a coroutine function of an asynchronous client."""

    async def run():
        async with openai.AsyncOpenAI(
            base_url=upstream.base_url, api_key="sk-secret", max_retries=0, timeout=PATIENCE
        ) as client:
            return await conversation(client)

    return asyncio.run(run())


# Good answers


def test_a_completion(upstream, client):
    upstream.script(Reply("Paris it is", tokens_in=7))
    completion = ask(client, temperature=0.5)
    assert completion.choices[0].message.content == "Paris it is"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.choices[0].logprobs is None
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (7, 3)
    assert completion._request_id == "req_1"
    assert completion.model == "small"
    (call,) = upstream.calls
    assert call.body == {"model": "small", "messages": MESSAGES, "temperature": 0.5}
    assert (call.method, call.path) == ("POST", "/v1/chat/completions")
    assert call.over.wait(PATIENCE)
    assert not call.disconnected
    assert call.started <= call.ended


def test_the_key_is_not_kept(upstream, client):
    ask(client)
    assert upstream.calls[0].headers["authorization"] == "Bearer"
    assert "sk-secret" not in repr(upstream.calls)


def test_answers_by_a_function_of_the_request(upstream, client):
    upstream.answer_with(lambda body: Reply(f"{body['model']} at {body['temperature']}"))
    assert ask(client, temperature=1).choices[0].message.content == "small at 1"


def test_a_function_that_raises_is_a_server_error(upstream, client):
    upstream.answer_with(lambda body: Reply(body["absent"]))
    with pytest.raises(openai.InternalServerError, match="the script raised KeyError"):
        ask(client)


def test_replies_come_in_order_and_do_not_repeat(upstream, client):
    upstream.script(Reply("one"), Reply("two"))
    assert [ask(client).choices[0].message.content for _ in range(2)] == ["one", "two"]
    with pytest.raises(openai.InternalServerError, match="no more replies"):
        ask(client)


def test_tool_calls_refusals_and_choices(upstream, client):
    upstream.script(Reply(None, tool_calls=[("search", '{"q": "Paris"}')]), Reply(None, refusal="No."), Reply("a"))
    called = ask(client, tools=[TOOL]).choices[0]
    assert called.finish_reason == "tool_calls"
    assert called.message.content is None
    assert (called.message.tool_calls[0].function.name, called.message.tool_calls[0].function.arguments) == (
        "search",
        '{"q": "Paris"}',
    )
    assert ask(client).choices[0].message.refusal == "No."
    assert [choice.index for choice in ask(client, n=3).choices] == [0, 1, 2]


def test_structured_output(upstream, client):
    from pydantic import BaseModel

    class City(BaseModel):
        name: str

    upstream.script(Reply('{"name": "Paris"}'))
    parsed = client.chat.completions.parse(model="small", messages=MESSAGES, response_format=City)
    assert parsed.choices[0].message.parsed == City(name="Paris")
    assert upstream.calls[0].body["response_format"]["json_schema"]["name"] == "City"


def test_logprobs_only_where_asked_for(upstream, client):
    upstream.answer_with(lambda body: Reply("a b c", logprobs=(-0.5, -0.25)))
    assert ask(client).choices[0].logprobs is None
    content = ask(client, logprobs=True).choices[0].logprobs.content
    assert [token.logprob for token in content] == [-0.5, -0.25, -0.25]
    assert "".join(token.token for token in content) == "a b c"


def test_a_stream(upstream, client):
    upstream.script(Reply("Paris it is"))
    chunks = list(ask(client, stream=True, logprobs=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Paris it is"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert sum(len(c.choices[0].logprobs.content) for c in chunks if c.choices and c.choices[0].logprobs) == 3
    assert chunks[-1].usage.completion_tokens == 3
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_a_stream_without_usage(upstream, client):
    assert all(chunk.usage is None and chunk.choices for chunk in ask(client, stream=True))


def test_a_stream_of_tool_calls(upstream, client):
    upstream.script(Reply(None, tool_calls=[("search", '{"q": 1}'), ("find", "{}")]))
    with client.chat.completions.stream(model="small", messages=MESSAGES, tools=[TOOL]) as stream:
        final = stream.get_final_completion()
    assert [(c.function.name, c.function.arguments) for c in final.choices[0].message.tool_calls] == [
        ("search", '{"q": 1}'),
        ("find", "{}"),
    ]


def test_an_asynchronous_stream(upstream):
    upstream.script(Reply("eins zwei", chunk_delay=0.001))

    async def read(client):
        stream = await ask(client, stream=True)
        return [chunk.choices[0].delta.content async for chunk in stream]

    assert "".join(filter(None, run_async(upstream, read))) == "eins zwei"


def test_a_connection_serves_many_requests(upstream, client):
    for number in range(5):
        upstream.script(Reply(str(number)))
        assert ask(client).choices[0].message.content == str(number)
    assert len({call.headers["host"] for call in upstream.calls}) == 1


@pytest.mark.slow
def test_two_hundred_at_once(upstream):
    count = 200

    async def ask_all(client):
        return await asyncio.gather(
            *(client.chat.completions.create(model=str(n), messages=MESSAGES, stream=False) for n in range(count))
        )

    upstream.answer_with(lambda body: Reply(body["model"], delay=0.5))
    completions = run_async(upstream, ask_all)
    assert [completion.choices[0].message.content for completion in completions] == list(map(str, range(count)))
    assert len(upstream.calls) == count


# Errors


@pytest.mark.parametrize(
    ("reply", "error", "code"),
    [
        (rate_limited(retry_after=2), openai.RateLimitError, "rate_limit_exceeded"),
        (context_too_long(), openai.BadRequestError, "context_length_exceeded"),
        (Reply(status=401, error_code="invalid_api_key"), openai.AuthenticationError, "invalid_api_key"),
        (Reply(status=500), openai.InternalServerError, None),
        (Reply(status=503), openai.InternalServerError, None),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors(upstream, client, reply, error, code, stream):
    upstream.script(reply)
    with pytest.raises(error) as raised:
        ask(client, stream=stream)
    assert raised.value.status_code == reply.status
    assert raised.value.code == code
    assert raised.value.request_id == "req_1"
    retry_after = raised.value.response.headers.get("retry-after")
    assert retry_after == (None if reply.retry_after is None else "2")


def test_the_clients_own_retries_see_the_header(upstream):
    upstream.script(rate_limited(retry_after=0.01), Reply("at last"))
    with openai.OpenAI(base_url=upstream.base_url, api_key="any", max_retries=1) as client:
        assert ask(client).choices[0].message.content == "at last"
    assert len(upstream.calls) == 2


def test_another_path_is_not_found(client):
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="small", input="text")


# Faults


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.RESET_MIDWAY, Fault.TRUNCATED])
def test_broken_connections(upstream, client, fault):
    upstream.script(Reply("a long answer of many words", fault=fault), Reply("fine"))
    with pytest.raises(openai.APIConnectionError):
        ask(client)
    assert not upstream.calls[0].disconnected
    assert ask(client).choices[0].message.content == "fine"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.RESET_MIDWAY, openai.APIConnectionError),
        (Fault.TRUNCATED, openai.APIConnectionError),
        (Fault.ERROR_MIDWAY, openai.APIError),
        (Fault.NOT_JSON, json.JSONDecodeError),
    ],
)
def test_broken_streams(upstream, client, fault, error):
    upstream.script(Reply("a long answer of many words", fault=fault))
    read = []

    def read_all():
        for chunk in ask(client, stream=True):
            read.append(chunk.choices[0].delta.content or "")  # noqa: PERF401 - what came before the error counts

    with pytest.raises(error):
        read_all()
    assert "".join(read) == "a long answer "


def test_an_error_midway_is_a_server_error_without_a_stream(upstream, client):
    upstream.script(Reply(fault=Fault.ERROR_MIDWAY))
    with pytest.raises(openai.InternalServerError):
        ask(client)


def test_malformed_bodies(upstream, client):
    upstream.script(Reply(fault=Fault.NOT_JSON), Reply(fault=Fault.NO_CHOICES), Reply(fault=Fault.WRONG_TYPE))
    with pytest.raises((openai.APIError, json.JSONDecodeError)):
        ask(client)
    assert ask(client).choices == []
    assert ask(client) == "<html><body>Bad gateway</body></html>"


# Clients that go away


@pytest.mark.parametrize("reply", [Reply(fault=Fault.HANG), Reply(delay=600), Reply("a b", chunk_delay=600)])
def test_a_client_that_times_out_is_noticed(upstream, client, reply):
    upstream.script(reply)
    with pytest.raises(openai.APITimeoutError):
        ask(client, timeout=0.2)
    (call,) = upstream.calls
    assert call.over.wait(PATIENCE)
    assert call.disconnected


def test_a_cancelled_task_is_noticed(upstream):
    upstream.script(Reply(fault=Fault.HANG), Reply("next"))

    async def give_up(client):
        task = asyncio.ensure_future(ask(client))
        while not upstream.calls:
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return (await ask(client)).choices[0].message.content

    assert run_async(upstream, give_up) == "next"
    assert upstream.calls[0].over.wait(PATIENCE)
    assert [call.disconnected for call in upstream.calls] == [True, False]


def test_a_stream_left_early_is_noticed(upstream, client):
    upstream.script(Reply("word " * 100, chunk_delay=0.05))
    with ask(client, stream=True) as stream:
        next(iter(stream))
    assert upstream.calls[0].over.wait(PATIENCE)
    assert upstream.calls[0].disconnected


def test_closing_drops_those_who_wait():
    with OpenAIServer() as server:
        server.script(Reply(fault=Fault.HANG))

        async def wait(client):
            task = asyncio.ensure_future(ask(client))
            while not server.calls:
                await asyncio.sleep(0.001)
            await asyncio.to_thread(server.close)
            with pytest.raises(openai.APIConnectionError):
                await task

        run_async(server, wait)
