"""Reads a memory's tables with LanceDB's own client, again and again, while they are being written.

Prints, for each table, the number of rows seen last, when its standard input ends.
"""

import json
import sys
import threading

import lancedb

KEYS = {
    "traces": "event_uuid", "entities": "entity_uuid", "episodes": "episode_uuid",
    "capability_metrics": "metric_id", "usage_graph": "element_id",
}
GROWING = ("traces", "entities", "episodes")  # in this test nothing is taken back
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
print("ready", flush=True)
rows, versions, rounds = dict.fromkeys(KEYS, 0), dict.fromkeys(KEYS, 0), 0
while True:
    last = ended.is_set()
    store = lancedb.connect(sys.argv[1])
    for name, key in KEYS.items():
        table = store.open_table(name)
        found = table.to_arrow()
        if table.version < versions[name]:
            sys.exit(f"{name} went back from version {versions[name]} to {table.version}")
        if found.num_rows < rows[name] and name in GROWING:
            sys.exit(f"{name} shrank from {rows[name]} to {found.num_rows} rows")
        if len(set(found.column(key).to_pylist())) != found.num_rows:
            sys.exit(f"{name} has keys twice")
        rows[name], versions[name] = found.num_rows, table.version
    rounds += 1
    if last:
        break
print(json.dumps(rows | {"rounds": rounds}), flush=True)
