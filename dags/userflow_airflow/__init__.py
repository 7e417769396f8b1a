"""What the DAG files share: the model graph, the windows of a run, the operator that runs a job, and messages.

Nothing here computes: a task is one call of a userflow binary with a window.
"""
