INSERT INTO soniq_jobs (id, task, args)
VALUES (gen_random_uuid(), 'greet', '{"name": "Ann"}');
