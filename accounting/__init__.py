"""The guideline as computation: kernels, factors, methods, and the engine that keeps the ledger."""
