"""What goes wrong in one seed, and when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.simulation.process import Process
from tests.simulation.watch import must

if TYPE_CHECKING:
    from tests.simulation.world import World


class Faults:
    """The faults of one seed, and how they are mended in the end."""

    def __init__(self, world: World) -> None:
        self.over = False
        self._world = world
        self._pick = world.pick
        self._starting: set[Process] = set()

    async def run(self) -> None:
        """Have things go wrong for some tens of seconds."""
        world, pick = self._world, self._pick
        network = world.network
        until = world.loop.time() + pick.uniform(10, 40)
        network.trouble = pick.choice([0.0, 0.002, 0.01, 0.05])
        network.slow = pick.choice([0.0, 0.0, 0.01])
        while world.loop.time() < until:
            await asyncio.sleep(pick.expovariate(1.0))
            fault = pick.choice(self._kinds)
            world.story.faults += fault not in {world.enqueue, world.cancel}
            fault()
            world.watch.look_at_all()
            for process in world.processes:
                must(not process.exited, f"{process.name} ended by itself")

    async def mend(self) -> None:
        """End all faults: the network is good, the server is up, and every process runs."""
        world = self._world
        world.network.trouble = world.network.slow = 0.0
        if not world.server.up:
            world.server.start()
        for process in world.processes:
            process.go_on()
            self._start(process)

    def kill(self, process: Process, *, noticed: bool) -> None:
        """Kill a process, which is started again after a while."""
        if process.dead:
            return
        process.kill(noticed=noticed)
        self._later(self._pick.uniform(0.2, 3.0), self._start, process)

    @property
    def _kinds(self) -> list[Any]:
        world = self._world
        return [
            *[world.enqueue] * 6,
            world.cancel,
            self._kill_one,
            self._lose_host,
            self._stop_one,
            self._block_one,
            self._stall_lease,
            self._cut_one_off,
            self._cut_one_connection,
            self._crash_server,
        ]

    def _kill_one(self) -> None:
        process = self._one()
        self._told(f"kill {process.name}")
        self.kill(process, noticed=True)

    def _lose_host(self) -> None:
        process = self._one()
        self._told(f"lose the host of {process.name}")
        self.kill(process, noticed=False)

    def _stop_one(self) -> None:
        process, seconds = self._one(), self._pick.uniform(0.1, 3 * self._world.lease)
        self._told(f"stop {process.name} for {seconds:.3f} s")
        process.stop()
        self._later(seconds, process.go_on)

    def _block_one(self) -> None:
        process, seconds = self._one(), self._pick.uniform(0.1, 2 * self._world.lease)
        self._told(f"block {process.name} for {seconds:.3f} s")
        process.block()
        self._later(seconds, process.go_on)

    def _stall_lease(self) -> None:
        process, seconds = self._one(), self._pick.uniform(0.5, 3 * self._world.lease)
        self._told(f"stall the lease of {process.name} for {seconds:.3f} s")
        process.stall()
        self._later(seconds, process.go_on)

    def _cut_one_off(self) -> None:
        process = self._one()
        self._told(f"cut {process.name} off")
        process.cut_off()

    def _cut_one_connection(self) -> None:
        process = self._one()
        if process.connections:
            connection = self._pick.choice(process.connections)
            self._told(f"cut one connection of {process.name}")
            connection.break_off()

    def _crash_server(self) -> None:
        world = self._world
        if world.server.up:
            world.server.crash(self._pick)
            self._later(self._pick.uniform(0.05, 5.0), self._start_server)

    def _start_server(self) -> None:
        if not self._world.server.up:
            self._world.server.start()

    def _start(self, process: Process) -> None:
        if process.dead and not self.over:
            self._told(f"start {process.name}")
            process.start(1.0 + self._pick.uniform(-0.0005, 0.0005))

    def _one(self) -> Process:
        return self._pick.choice(self._world.processes)

    def _later(self, seconds: float, what: Any, *args: Any) -> None:
        self._world.network.later(what, *args, delay=seconds)

    def _told(self, what: str) -> None:
        self._world.tell(what)
