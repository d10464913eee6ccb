"""Who runs the tasks: this process, several, or a cluster. An engine only schedules; what a task does is the task's.

    protocol        `Executor`, and how a task ends (`Done`)
    serial          in this process
    process_pool    in worker processes
    ray_tasks       on a Ray cluster (extra `[ray]`)
    memory          how much memory the tasks in hand may take together

This file imports none of them.
"""
