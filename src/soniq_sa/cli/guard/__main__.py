"""``python -m soniq_sa.cli.guard``: started by a worker, of no use to anybody else."""

import socket
import sys

from soniq_sa.cli.guard.process import GuardProcess

worker, pulses, stacks, signals, told = map(int, sys.argv[1:])
GuardProcess(worker, pulses, stacks, socket.socket(fileno=signals), told).run()
