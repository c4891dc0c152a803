GRANT INSERT ON soniq_jobs TO reports;
