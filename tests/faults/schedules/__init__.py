"""Random schedules of mixed faults: one seed makes one schedule, and replays it.

    plan      seed ──▶ Schedule: which fault, where, when, how long; which jobs, when
    stage     a database, four seats for workers, each with a supervisor and a proxy in front of it
    faults    process_faults, network_faults, database_faults: what begins, and what ends
    producers enqueue, roll back, die before their commit, cancel, put off, replay
    journal   what everybody did, outside the database
    checker   journal and tables ──▶ LOST, DUPLICATED, PHANTOM, STUCK, EXITED, …

``python -m tests.faults.schedules --seeds 200`` runs them, two at a time.
"""
