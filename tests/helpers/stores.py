"""Fixtures: outcome stores. Every test with a ``url`` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from classifier.outcomes import OutcomeStore
from tests.helpers.outcomes import Opener
from tests.helpers.postgres import PostgresServer, binaries


@pytest.fixture(scope="session", autouse=True)
def own_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The key of what stores hide lies in a folder of the tests'."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        patch.delenv("TIERWISE_STORE_KEY", raising=False)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    programs = binaries()
    if programs is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is not installed")
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    server = PostgresServer(programs)
    server.start()
    yield server
    server.remove()


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'outcomes.db'}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Opener]:
    """Opens stores that spill into the test's folder, and closes them in the end."""
    opened: list[OutcomeStore] = []

    def open_one(url: str, **options: object) -> OutcomeStore:
        opened.append(OutcomeStore(url, **{"spill": tmp_path / "spill", "retry_after": 0.05, **options}))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()
