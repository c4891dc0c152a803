CREATE FUNCTION enqueue_job(
  task text,
  args jsonb DEFAULT '{}',
  queue text DEFAULT 'default',
  priority integer DEFAULT 100,
  max_attempts integer DEFAULT 4,
  run_at timestamptz DEFAULT now()
) RETURNS uuid LANGUAGE sql AS $$
  INSERT INTO soniq_jobs (id, task, args, queue, priority, max_attempts, run_at, state)
  VALUES (
    gen_random_uuid(), task, args, queue, priority, max_attempts, run_at,
    CASE WHEN run_at > now() THEN 'scheduled' ELSE 'queued' END
  )
  RETURNING id
$$;
