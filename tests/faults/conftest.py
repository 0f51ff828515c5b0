import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from fixtures import bare, servers, world  # noqa: F401
from matrix import Stage
from proxy import Proxy


@pytest.fixture
def stage(bare):
    """Straight to the servers."""
    return Stage(bare)


@pytest.fixture
def proxied(bare):
    """The worker reaches both servers through a proxy each."""
    with Proxy(bare.rabbit.port) as broker, Proxy(bare.redis_server.port) as redis:
        yield Stage(bare, broker, redis)
