"""The store: immutable shards, commits that list them, and an index to ask questions of (layout: `docs/store.md`).

    schema      columns of the five kinds of shard, and clips to rows and back
    shards      Parquet files named by their hash
    storage     the four operations by which bytes are kept; local disk
    commits     the chain of commits, and which shards each one holds
    ledger      which file was read when, and hence what is live
    committer   receipts to commits, beside other writers
    index       one read-only DuckDB file per commit
    store       `open_store`, `Store`
    check       every digest, every shard, every row

This file imports none of them: a worker that reads motion files needs no DuckDB.
"""
