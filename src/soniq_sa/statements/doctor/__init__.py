"""What `soniq-sa doctor` asks: the server, the storage of the tables, and the work in them."""
