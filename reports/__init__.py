"""From the outcomes of a run to its report."""
