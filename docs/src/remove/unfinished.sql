SELECT count(*) FROM soniq_jobs WHERE state IN ('scheduled', 'queued', 'processing');
