# Verifies an export of chat_v11.history_export.  Usage: python3 verify_history.py history.csv [hash from the server log]
import hashlib, re, sys
cells = re.findall(rb'("(?:[^"]|"")*"|[^",\n]*)[,\n]', open(sys.argv[1], "rb").read())
previous, count, hashes = b"0" * 64, 0, set(sys.argv[2:])
for count, row in enumerate(zip(*[iter(cells)] * 18, strict=True), 1):
    *columns, claimed = [None if c == rb"\N" else c[1:-1].replace(b'""', b'"') if c[:1] == b'"' else c for c in row]
    form = b"".join(b"-\n" if c is None else b"%d:%s\n" % (len(c), c) for c in columns)
    if (columns[0], columns[-1], hashlib.sha256(form).hexdigest().encode()) != (b"%d" % count, previous, claimed):
        sys.exit(f"row {count} does not fit: its id, its prev_hash or its content is not what was written")
    previous = claimed
    hashes.discard(claimed.decode())
sys.exit(f"hash {hashes.pop()} is of no row: rows were cut off, or all rewritten" if hashes else print(f"{count} rows fit, last hash {previous.decode()}"))
