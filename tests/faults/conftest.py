import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from fixtures import bare, servers, wipe, world  # noqa: F401
from matrix import Stage
from proxy import Proxy
from servers import Redis
from table import List, Table
from world import World


def pytest_addoption(parser):
    parser.addoption("--table", action="store_true", help="print a line for each row")
    parser.addoption("--list", action="store_true", help="list the rows and run none")


@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    printer = Table() if config.getoption("--table") else List() if config.getoption("--list") else None
    if printer is not None:
        config.pluginmanager.register(printer)
        config.pluginmanager.unregister(name="terminalreporter")  # it would print beside the table


@pytest.fixture
def stage(bare):
    """Straight to the servers."""
    return Stage(bare)


@pytest.fixture
def proxied(bare):
    """The worker reaches both servers through a proxy each."""
    with Proxy(bare.rabbit.port) as broker, Proxy(bare.redis_server.port) as redis:
        yield Stage(bare, broker, redis)


@pytest.fixture
def replaceable(servers):
    """With a Redis of its own, reached through a proxy that may lead to another one."""
    shared, rabbit = servers
    wipe(shared, rabbit)
    with Redis() as redis, World(redis, rabbit) as world, Proxy(redis.port) as proxy:
        yield Stage(world, redis_proxy=proxy)
