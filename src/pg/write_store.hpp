#pragma once

// What is known of each write that has been counted, by key: tables chat_v11.write_0 ... write_2, of which one takes
// new keys and the others are forgotten whole, in turn.

#include "core/pairing.hpp"
#include "pg/spi.hpp"

#include <array>

namespace chat_v11::pg {

inline constexpr int write_generations = 3;

struct StoredWrite {
	WriteState state;
	int generation = 0;
};

// Looks keys up; one reading at a time.  Its scans end with close(), or with the (sub)transaction after an error.
class WriteLookup {
public:
	// With a snapshot of PostgreSQL, or, for who holds the fold's lock, with what is there at each look.  Tables that
	// are empty by now are left out, but for the one that the fold writes to.
	WriteLookup(Snapshot snapshot, std::optional<int> written);
	std::optional<StoredWrite> find(const Uuid &key);
	void close();

private:
	struct Table {
		Relation heap = nullptr;
		Relation index = nullptr;
		struct IndexScanDescData *scan = nullptr;
		TupleTableSlot *slot = nullptr;
		bool empty = false;
	};
	Snapshot snapshot_;
	std::array<Table, write_generations> tables_{};
};

// For who holds the fold's lock.
class WriteStore {
public:
	WriteStore(Spi &spi, int generation) : spi_(spi), generation_(generation) {}
	void insert(const Uuid &key, const WriteState &state);
	void update(const Uuid &key, const WriteState &state, int generation);
	// Writes what insert() has gathered.
	void flush();

private:
	Spi &spi_;
	int generation_;
	struct NewRow {
		Uuid key;
		WriteState state;
	};
	std::vector<NewRow> rows_;
};

// Begins the next generation, in a table that it empties first, and takes along what is still unanswered and was first
// acknowledged at `oldest` or later.  False where somebody else has that table open.
bool rotate_writes(Spi &spi, int generation, Time oldest);

Oid write_table(int generation);

} // namespace chat_v11::pg
