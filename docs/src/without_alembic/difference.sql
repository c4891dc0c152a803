DROP INDEX ix_soniq_jobs_due_1;
ALTER TABLE soniq_jobs SET (fillfactor = 20);
