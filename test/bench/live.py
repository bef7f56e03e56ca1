#!/usr/bin/env python3
"""Traffic in real time, and an ear for notifications, for the benchmark of the guard.  Over libpq, as psql is, found by
the environment.

  live.py feed REPORT [--late SECONDS] [--last-moment N]
      copies the events on standard input, sorted by time, as each one's moment comes, in commits of 50 ms.  --late holds
      the receipts back; --last-moment lets each N-th write of v11 be answered 9.9 s after its ACK.  At the end one line
      goes to REPORT: events, commits, median and 95th percentile of a COPY in ms, how late at most an event was in s.
  live.py listen FILE
      a line for each notification on chat_v11: when it was heard, in seconds since 1970, and its text.
"""
import calendar
import ctypes
import heapq
import select
import signal
import sys
import time

pq = ctypes.CDLL("libpq.so.5")
for function in ("PQconnectdb", "PQexec", "PQgetResult", "PQerrorMessage", "PQresultErrorMessage", "PQnotifies"):
    getattr(pq, function).restype = ctypes.c_void_p


class Notify(ctypes.Structure):
    _fields_ = [("channel", ctypes.c_char_p), ("pid", ctypes.c_int), ("extra", ctypes.c_char_p)]


class Connection:
    def __init__(self):
        self.handle = ctypes.c_void_p(pq.PQconnectdb(b""))
        if pq.PQstatus(self.handle) != 0:
            sys.exit(ctypes.string_at(pq.PQerrorMessage(self.handle)).decode())

    def execute(self, sql):
        result = ctypes.c_void_p(pq.PQexec(self.handle, sql))
        error = ctypes.string_at(pq.PQresultErrorMessage(result)).decode()
        pq.PQclear(result)
        if error:
            sys.exit(error)

    def copy(self, lines):
        self.execute(b"copy chat_v11.event (at, kind, cohort, actor, subject, value) from stdin")
        data = b"".join(lines)
        pq.PQputCopyData(self.handle, data, len(data))
        pq.PQputCopyEnd(self.handle, None)
        while result := pq.PQgetResult(self.handle):
            error = ctypes.string_at(pq.PQresultErrorMessage(ctypes.c_void_p(result))).decode()
            pq.PQclear(ctypes.c_void_p(result))
            if error:
                sys.exit(error)


minutes = {}


def moment(stamp):
    """Of 2026-03-01 00:00:00.000262+00, in seconds since 1970."""
    minute = stamp[:16]
    if minute not in minutes:
        minutes.clear()
        minutes[minute] = calendar.timegm(time.strptime(minute.decode(), "%Y-%m-%d %H:%M"))
    return minutes[minute] + float(stamp[17:-3])


def format_moment(at):
    whole, micros = divmod(round(at * 1e6), 1_000_000)
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(whole)).encode() + b".%06d+00" % micros


def events(late, last_moment):
    """(the event's place in the stream, when to tell it, line)"""
    acked = {}
    writes = 0
    for line in sys.stdin.buffer:
        stamp, kind, cohort, actor, subject, value = line.split(b"\t")
        at = place = due = moment(stamp)
        if cohort == b"v11" and last_moment and kind == b"write_ack":
            writes += 1
            if writes % last_moment == 0:
                acked[subject] = at
        if kind == b"write_receipt":
            if subject in acked:
                at = acked.pop(subject) + 9.9
                line = b"\t".join((format_moment(at), kind, cohort, actor, subject, value))
            due = at + late
        yield place, due, line


def feed(report, late=0.0, last_moment=0):
    connection = Connection()
    took = []
    told = 0
    latest = 0.0
    waiting = []
    source = events(late, last_moment)
    ahead = next(source, None)
    while ahead or waiting:
        now = time.time()
        while ahead and ahead[0] <= now:
            heapq.heappush(waiting, ahead[1:])
            ahead = next(source, None)
        due = []
        first = waiting[0][0] if waiting else now
        while waiting and waiting[0][0] <= now:
            due.append(heapq.heappop(waiting)[1])
        if due:
            began = time.perf_counter()
            connection.copy(due)
            took.append((time.perf_counter() - began) * 1000)
            told += len(due)
            latest = max(latest, time.time() - first)
        time.sleep(max(0.0, now + 0.05 - time.time()))
    took.sort()
    with open(report, "w") as file:
        print(told, len(took), "%.2f %.2f %.2f" % (took[len(took) // 2], took[len(took) * 95 // 100], latest), file=file)


def listen(path):
    connection = Connection()
    connection.execute(b"listen chat_v11")
    socket = pq.PQsocket(connection.handle)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with open(path, "w", buffering=1) as file:
        while True:
            select.select([socket], [], [])
            heard = time.time()
            if not pq.PQconsumeInput(connection.handle):
                sys.exit(ctypes.string_at(pq.PQerrorMessage(connection.handle)).decode())
            while found := pq.PQnotifies(connection.handle):
                note = ctypes.cast(found, ctypes.POINTER(Notify)).contents
                print("%.6f" % heard, note.extra.decode().replace("\\", "\\\\"), sep="\t", file=file)
                pq.PQfreemem(ctypes.c_void_p(found))


if len(sys.argv) < 3 or sys.argv[1] not in ("feed", "listen"):
    sys.exit(__doc__)
if sys.argv[1] == "listen":
    listen(sys.argv[2])
else:
    words = sys.argv[3:]
    options = dict(zip(words[::2], words[1::2]))
    feed(sys.argv[2], float(options.get("--late", 0)), int(options.get("--last-moment", 0)))
