UPDATE soniq_jobs SET keep_until = NULL WHERE task = 'charge' AND state = 'done';  -- for ever
UPDATE soniq_jobs SET keep_until = now() WHERE state = 'dead' AND finished_at < '2025-01-01';  -- now
