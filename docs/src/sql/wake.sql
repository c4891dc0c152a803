BEGIN;
INSERT INTO soniq_jobs (id, task, args) VALUES (gen_random_uuid(), 'greet', '{"name": "Eve"}');
SELECT pg_notify('soniq_sa:soniq_jobs', 'default');
COMMIT;
