GRANT shop_jobs_producer TO web;                      -- enqueues
GRANT shop_jobs_worker, shop_jobs_producer TO worker; -- runs jobs, and its handlers enqueue
GRANT shop_jobs_viewer TO grafana;
GRANT shop_jobs_maintainer TO support;
GRANT shop_jobs_owner TO migrations;
