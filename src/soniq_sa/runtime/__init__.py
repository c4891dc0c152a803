"""The worker process: one service a file, all of one shape (see ``service``)."""
