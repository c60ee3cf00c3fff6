import io

import pytest

from classifier.__main__ import main

HARD = "prove thing0 and thing1, case 0"


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """An empty working directory and no variables."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIERWISE_ARTIFACT", raising=False)
    monkeypatch.delenv("TIERWISE_CONFIG", raising=False)


@pytest.fixture
def run(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["classifier", *map(str, arguments)])
        code = main()
        return code, *capsys.readouterr()

    return run


def test_a_request_is_routed_and_explained(run, linear, router):
    code, out, err = run(HARD, "--artifact", linear.path, "--max-tokens", 300, "--task", "theorem proving")
    decision = router.route(HARD, max_tokens=300, task="theorem proving")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == [decision.model, decision.reason]
    assert "  P(opus is adequate) = 1.00" in lines
    assert str(decision.explain()) in out


def test_the_prompt_may_come_from_standard_input(run, linear, router, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(HARD))
    assert run("-", "--artifact", linear.path)[1].splitlines()[0] == router.route(HARD).model


def test_the_strategy_is_an_option(run, linear):
    assert "task table" in run("a", "--artifact", linear.path, "--strategy", "task")[1]


def test_what_cannot_be_done_is_one_line_and_exit_code_2(run):
    assert run(HARD, "--artifact", "gone.safetensors") == (
        2,
        "",
        "python -m classifier: gone.safetensors: no such file; check the path, or train one with train-router\n",
    )


def test_a_wish_is_taken(run, linear, router):
    loose = router.route(HARD, budget=0.2)
    assert run(HARD, "--artifact", linear.path, "--budget", 0.2)[1].splitlines()[0] == loose.model
    strict = router.route(HARD, max_quality_loss=0)
    assert run(HARD, "--artifact", linear.path, "--max-quality-loss", 0)[1].splitlines()[0] == strict.model
    code, out, err = run(HARD, "--artifact", linear.path, "--budget", -1)
    assert (code, out) == (2, "")
    assert "budget is -1" in err
