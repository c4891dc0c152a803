INSERT INTO soniq_jobs (id, task, args, queue, priority, max_attempts)
SELECT gen_random_uuid(), 'bill', jsonb_build_object('order', id, 'copy', true), 'billing', 500, 6
FROM orders WHERE total > 10;
