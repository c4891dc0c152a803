SELECT enqueue_job('greet', '{"name": "Kim"}');
SELECT enqueue_job('greet', '{"name": "Lee"}', run_at => now() + interval '10 minutes');
SELECT enqueue_job('bill', jsonb_build_object('order', id), 'billing') FROM orders WHERE total > 10;
