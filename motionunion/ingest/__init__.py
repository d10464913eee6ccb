"""From files to commits.

    plan        what lies there, listed and cut into tasks: a pure function of names, sizes and times
    preflight   what a run would read, what is missing, what it will take
    task        one task: read, normalise, shards, receipt
    run         `ingest` and `dry_run`

This file imports none of them: a worker needs only `task`.
"""
