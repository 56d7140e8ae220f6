"""How fast each kernel and stage is, beside a plain implementation of the usual way."""
