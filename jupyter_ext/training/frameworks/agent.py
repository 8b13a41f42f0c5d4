"""torchrun's agent of one node, on one machine: ``python -P agent.py ARGUMENTS OF TORCHRUN``.

It is torch's own agent in all it does, but for two things that suit a cluster and not one machine:

* Rounds of one rendezvous share one store there. Ranks of a second round find the addresses of the first in it, and a
  node that outlives the first node keeps its address. Here every round has a store of its own.
* Agents look at each other's state once a second, after a random wait. Here twenty times a second.
"""

from __future__ import annotations

import sys
import time
from typing import Any, Final

_LOOK_SECONDS: Final = 0.05


def main() -> None:
    """Run the agent to its end."""
    from torch.distributed import run

    adapt()
    run.main(sys.argv[1:])


def adapt() -> None:
    """Change the rendezvous of this process; what a version of torch does not have stays as it is."""
    from torch.distributed.elastic.rendezvous import dynamic_rendezvous as module

    handler = module.DynamicRendezvousHandler
    original = handler.next_rendezvous

    def next_rendezvous(self: Any) -> Any:
        if hasattr(self, "_bootstrap_store_info"):
            # The ranks of the last round have ended: nobody uses its store any more.
            self._bootstrap_store_info = None
            self._shared_tcp_store_server = None
        return original(self)

    def delay(seconds: float | tuple[float, float]) -> None:
        longest = seconds if isinstance(seconds, (int, float)) else seconds[1]
        time.sleep(min(longest, _LOOK_SECONDS))

    handler.next_rendezvous = next_rendezvous
    if hasattr(module, "_delay"):
        module._delay = delay  # noqa: SLF001


if __name__ == "__main__":
    main()
