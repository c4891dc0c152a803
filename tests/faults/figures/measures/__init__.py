"""One file a fault: how it is made, and what is measured."""
