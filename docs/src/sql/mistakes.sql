SELECT task, reason, error FROM soniq_jobs WHERE state = 'dead' ORDER BY finished_at DESC LIMIT 20;
