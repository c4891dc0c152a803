"""A small process beside each worker, for the time when no thread of the worker can run.

Compiled code may keep Python's lock: a regular expression that tries everything, a C function that was
not written with threads in mind. Then the worker's event loop stands still, and so do the thread that
renews its lease and the one that watches the loop. The process lives, and its job with it; without help
its lease would end, and the job start a second time.

    worker                                                    guard
      watch ────── pulse, 4 times a second, while handlers run ────▶ pulse heard: all is well
      each thread ◀────────────── where are you? (SIGURG) ────────── no pulse for 1 s
      faulthandler, in C ─────────────── its own stack ────────────▶ stacks, and no pulse: Python's lock
      Python's C handlers ────────── SIGTERM, SIGINT came ─────────▶   is held. Warn; renew the lease;
      watch ◀──────── what happened, for the metrics ─────────────     stop the worker when it is time

- Each thread writes its own stack, in a signal handler that needs no lock of Python's, and so the stacks
  are the sign that the process runs. One that was stopped (SIGSTOP) sends neither pulses nor stacks: it is
  taken for dead when its lease ends, as it should.
- It says who keeps the lock only if it can tell: the handler whose thread is busy, else the one on the event
  loop. Handlers that wait in threads have let go of it.
- Where the guard itself could not run, neither could the worker, perhaps: both were frozen, or starved. Then
  the worker has time for a pulse before it is asked.
- A process that a handler forks is told from the worker: it gives up the pipes and the signals at once.
- The guard renews the lease for as long as the task that keeps the lock may take. Then it lets go: a
  process that will never go on must be replaced in the end.
- Of signals it counts those that the worker has taken, as it is told, and those that wait to be taken.
- If the worker is to stop and cannot hear it, the guard gives its jobs back when the drain timeout is
  over, and kills it.
- The guard ends when its worker does, whatever ended it: the pipe closes, and its parent is another one.
- It imports the application only when it needs a connection to the database, and is small until then.
- It blocks signals: Ctrl-C and service managers send them to all processes, and the worker may need it
  until its end.
"""
