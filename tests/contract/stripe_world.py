"""Serves stripe-world, an imitation of Stripe that others wrote, on 127.0.0.1.

usage: stripe_world.py PORT

Each path /worlds/ANY-ID is an account of its own. The package is written for Python 3.14. On 3.13
its sources are read with annotations left unevaluated and with parentheses around lists of
exceptions, which is all that it needs.
"""

import __future__
import re
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import decode_source

EXCEPTION_LIST = re.compile(r"\bexcept ([\w.]+(?:, [\w.]+)+):")


def read_as_older(loader, data, path, *, _optimize=-1):
    flags = 0
    if loader.name.startswith("seahaven"):
        data = EXCEPTION_LIST.sub(r"except (\1):", decode_source(data))
        flags = __future__.annotations.compiler_flag
    return compile(data, path, "exec", flags, dont_inherit=True, optimize=_optimize)


if sys.version_info < (3, 14):
    SourceFileLoader.source_to_code = read_as_older
    sys.dont_write_bytecode = True

from seahaven import http  # noqa: E402
from seahaven_stripe_world import world  # noqa: E402
from seahaven_stripe_world.http_api import handle  # noqa: E402

test_mode = '{"startup": {"livemode": false}}'
http.main(world, handle, ["--port", sys.argv[1], "--reset-options", test_mode])
