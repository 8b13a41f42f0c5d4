"""One commit for all who wait, on a real SQLite file; another connection sees what is written."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest
from jupyterhub import orm
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from spawner.starts.saving import committed


@pytest.fixture
def database(tmp_path):
    """A session of the Hub's own kind with 40 servers of one user, and what reads the file beside it."""
    url = f"sqlite:///{tmp_path}/hub.sqlite"
    session = orm.new_session_factory(url, connect_args={"timeout": 0})()
    user = orm.User(name="ana")
    session.add(user)
    servers = [orm.Spawner(name=f"s{number}", user=user, state={}) for number in range(40)]
    session.add_all(servers)
    session.commit()

    def written():
        with sqlite3.connect(tmp_path / "hub.sqlite") as other:
            return [row[0] for row in other.execute("select state from spawners order by id")]

    yield session, servers, written, tmp_path / "hub.sqlite"
    session.rollback()
    session.close()
    session.bind.dispose()


def state_of(server, number):
    def change():
        server.state = {"number": number}

    return change


def test_those_who_wait_share_a_commit(database):
    session, servers, written, _ = database
    commits = []
    event.listen(session, "after_commit", commits.append)

    async def start(number):
        await committed(session, state_of(servers[number], number))
        return str(number) in written()[number]  # it is there by the time that one goes on

    async def class_of_forty():
        return await asyncio.gather(*(start(number) for number in range(40)))

    assert all(asyncio.run(class_of_forty()))
    assert len(commits) == 1


def test_who_comes_later_gets_a_commit_too(database):
    session, servers, written, _ = database

    async def one_after_the_other():
        for number in range(3):
            await committed(session, state_of(servers[number], number))
            assert str(number) in written()[number]

    asyncio.run(one_after_the_other())


def test_a_commit_that_fails_fails_for_all_who_wait(database):
    session, servers, written, file = database
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("begin exclusive")

    async def start(number):
        await committed(session, state_of(servers[number], number))

    async def locked():
        return await asyncio.gather(*(start(number) for number in range(2)), return_exceptions=True)

    found = asyncio.run(locked())
    assert [type(each) for each in found] == [OperationalError, OperationalError]
    other.execute("rollback")
    other.close()
    asyncio.run(start(5))
    assert "5" in written()[5]


def test_one_who_gives_up_takes_nothing_from_the_others(database):
    session, servers, written, _ = database

    async def story():
        first, second = (
            asyncio.ensure_future(committed(session, state_of(servers[number], 7))) for number in range(2)
        )
        await asyncio.sleep(0)
        first.cancel()
        await second

    asyncio.run(story())
    assert "7" in written()[0]
    assert "7" in written()[1]


def test_the_end_of_another_request_takes_nothing_away(database):
    session, servers, written, _ = database

    async def story():
        await committed(session, state_of(servers[0], 1))
        waiting = asyncio.ensure_future(committed(session, state_of(servers[1], 2)))
        await asyncio.sleep(0)
        if session.dirty:  # what the Hub does when any request ends
            session.rollback()
        await waiting

    asyncio.run(story())
    assert "2" in written()[1]
