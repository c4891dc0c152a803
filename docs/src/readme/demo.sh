python3 -m venv .venv && .venv/bin/pip install '.[demo]' && .venv/bin/soniq-sa demo
