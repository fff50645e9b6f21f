"""What a project does: train, promote, score, list; each is one method of :class:`churn.project.Project`."""
