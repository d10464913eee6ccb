"""From files to commits.

    plan         what lies there, listed and cut into tasks: a pure function of names, sizes and times
    share        which tasks are one shard's of a job array
    outstanding  which of them are new, changed or worth another try
    preflight    what a run would read, what is missing, what it will take
    staff        who does the tasks, how many at once, with how much memory
    task         one task: read, normalise, shards, receipt
    archives     archives among the paths, unpacked one by one
    result       what a run did, in counts
    interrupt    Ctrl-C
    run          `ingest` and `dry_run`

This file imports none of them: a worker needs only `task`.
"""
