"""Old rows that are dear to read: the function ``slow`` takes a millisecond for each of them.

So a few thousand rows stand for many millions.
"""

SLOW = """
    CREATE FUNCTION slow(queue text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$
    BEGIN
      IF queue = 'history' THEN PERFORM pg_sleep(0.001); END IF;
      RETURN true;
    END $$
"""
HISTORY = """
    INSERT INTO soniq_jobs (id, task, queue, state, finished_at)
    SELECT gen_random_uuid(), 'old', 'history', 'done', now() FROM generate_series(1, {rows})
"""
