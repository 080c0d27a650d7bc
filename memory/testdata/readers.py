"""Reads a memory's tables with LanceDB's own client, again and again, while they are being written.

Prints, for each table, the number of rows seen last, when its standard input ends.
"""

import json
import sys
import threading

import lancedb

TABLES = ("traces", "entities", "episodes")
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
print("ready", flush=True)
rows, rounds = dict.fromkeys(TABLES, 0), 0
while True:
    last = ended.is_set()
    store = lancedb.connect(sys.argv[1])
    for name in TABLES:
        table = store.open_table(name)
        found = table.to_arrow()
        if found.num_rows < rows[name]:
            sys.exit(f"{name} shrank from {rows[name]} to {found.num_rows} rows")
        key = found.column({"traces": "event_uuid", "entities": "entity_uuid", "episodes": "episode_uuid"}[name])
        if len(set(key.to_pylist())) != found.num_rows:
            sys.exit(f"{name} has keys twice")
        rows[name] = found.num_rows
    rounds += 1
    if last:
        break
print(json.dumps(rows | {"rounds": rounds}), flush=True)
