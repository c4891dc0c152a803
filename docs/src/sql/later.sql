INSERT INTO soniq_jobs (id, task, args, state, run_at)
VALUES (gen_random_uuid(), 'greet', '{"name": "Bob"}', 'scheduled', now() + interval '1 hour');
