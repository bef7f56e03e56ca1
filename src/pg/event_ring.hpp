#pragma once

// The files of the raw events, and who may write where.
//
// The fold must find the rows that are new since it last looked without reading the old ones.  So a row goes to one of
// the last ring_margin pages of its file or behind them, never to a gap further back, and the fold learns where that
// begins: it shuts the gate, which waits for the inserts that are under way (an insert, not a transaction:
// microseconds), and notes the file's length.  Whoever passes the gate afterwards sees at least that length.  Hence,
// for pages that lie more than ring_margin before a length noted at the gate, what they hold by then is all that they
// will ever hold.

#include "core/event.hpp"
#include "pg/boundary.hpp"

namespace chat_v11::pg {

inline constexpr int ring_size = 8;
inline constexpr int event_columns = 6;

// Pages at the end of a file that may still take rows: so many backends can each have a page of their own.
inline constexpr BlockNumber ring_margin = 32;

// The functions down to shut_gate() raise PostgreSQL's errors: call them from its callbacks, or through call().

// chat_v11.event_0 ... event_7 in the schema of chat_v11.event.
Oid ring_leaf(Oid schema, int number);

// The one that takes rows at this hour.  It goes by the time of day, and nothing depends on its being right: the fold
// looks at all of them.
int ring_current();

void pass_gate(Oid leaf);
void leave_gate(Oid leaf);

// The file's length with no insert under way.
BlockNumber length_at_gate(Relation leaf);

// One event on its way in, by column of chat_v11.event: at, kind, cohort, actor, subject, value.
struct EventRow {
	Datum values[event_columns] = {};
	bool nulls[event_columns] = {true, true, true, true, true, true};
	void
	put(int column, Datum value) {
		values[column] = value;
		nulls[column] = false;
	}
	void
	put_names(Kind kind, Cohort cohort) {
		put(1, CharGetDatum(static_cast<char>(kind)));
		put(2, CharGetDatum(static_cast<char>(cohort)));
	}
};

// Stores an event that has been found sound, without a query: for one event a transaction, planning and running one
// costs more than the row.  Raises Error.
//
// One that is `kept` stays when its transaction rolls back, as an event must that tells of a refusal: its row is frozen
// from the start, so that nobody asks what became of its transaction.  The fold waits for that transaction's end all
// the same, and so counts it once.  A crash takes it along only where the server's log of writes was not flushed yet,
// which is asked for at the rollback and takes some tenths of a second.
enum class Rollback { undoes, keeps };
void insert_event(const EventRow &event, Rollback rollback = Rollback::undoes);

} // namespace chat_v11::pg
