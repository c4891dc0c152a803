import sys

from jobs import greet, soniq

soniq.enqueue_sync(greet, sys.argv[1])
