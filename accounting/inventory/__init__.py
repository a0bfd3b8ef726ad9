"""An inventory: one enterprise-period computed by its guideline from activity totals, without any meter."""
