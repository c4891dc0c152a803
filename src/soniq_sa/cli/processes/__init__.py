"""Several worker processes: a supervisor, and a fresh interpreter for each worker.

    supervisor ──starts──▶ python -m soniq_sa worker … --lifeline FD
       │  ▲                     │
       │  └──── b"r": ready ────┤   a pair of sockets, for each process one:
       └─ b"h": hurry, or end ─▶┘   the lifeline

- The first process is started alone. Once it is ready, so are settings, application and schema, and
  the others follow. If it refuses to start, what is wrong is said once.
- A process that ends is started again, after a pause that grows while it does not live long. It is not
  after it was told to stop, after its end with ``--run-once``, and after exit codes that say that
  the next one would refuse to start as well.
- To stop, each process is sent SIGTERM. However often it gets that itself, it only drains: whoever
  signals all processes of a terminal, a container or a unit reaches it beside the supervisor.
  To hurry, it is told so through the lifeline.
- When the supervisor is gone, whatever ended it, the lifelines end, and the processes drain.

They are started, not forked: a fork of a process with threads and an event loop inherits locks that
nobody releases. And not by `multiprocessing`: that runs a process of its own to track resources, and
imports the main module again.
"""
