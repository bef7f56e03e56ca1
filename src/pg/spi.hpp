#pragma once

// SQL from C++.  Queries read with the active snapshot; writes, and whatever decides about a write, use the newest
// snapshot there is, so that a caller's REPEATABLE READ cannot hide a breach or a kill from the rules.

#include "core/event.hpp"
#include "pg/boundary.hpp"
#include "pg/datum.hpp"

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace chat_v11::pg {

// Values for $1, $2, ...
class Params {
public:
	Params &
	operator<<(bool v) {
		return add(BOOLOID, BoolGetDatum(v));
	}
	Params &
	operator<<(int v) {
		return add(INT4OID, Int32GetDatum(v));
	}
	Params &
	operator<<(std::int64_t v) {
		return add(INT8OID, Int64GetDatum(v));
	}
	Params &
	operator<<(double v) {
		return add(FLOAT8OID, call([&] { return Float8GetDatum(v); }));
	}
	Params &
	operator<<(Time v) {
		return add(TIMESTAMPTZOID, time_datum(v));
	}
	Params &
	operator<<(Duration v) {
		return add(INTERVALOID, interval_datum(v));
	}
	Params &
	operator<<(const std::string &v) {
		return add(TEXTOID, text_datum(v));
	}
	Params &
	operator<<(std::string_view v) {
		return add(TEXTOID, text_datum(std::string(v)));
	}
	Params &
	operator<<(const char *v) {
		return add(TEXTOID, text_datum(v));
	}
	// The uuid is not copied: it must live as long as the parameters.
	Params &
	uuid(const Uuid &v) {
		return add(UUIDOID, PointerGetDatum(v.data()));
	}
	// Bytes as a value of some varlena type.
	Params &
	bytes(const std::string &v, Oid type) {
		return add(type, bytea_datum(v.data(), v.size()));
	}
	template <typename T>
	Params &
	optional(const std::optional<T> &v, Oid type) {
		if (v)
			return *this << *v;
		return add(type, Datum{}, true);
	}
	Params &
	add(Oid type, Datum value, bool is_null = false) {
		types_.push_back(type);
		values_.push_back(value);
		nulls_.push_back(is_null ? 'n' : ' ');
		return *this;
	}
	int
	size() const {
		return static_cast<int>(types_.size());
	}
	Oid *
	types() {
		return types_.data();
	}
	Datum *
	values() {
		return values_.data();
	}
	const char *
	nulls() const {
		return nulls_.data();
	}

private:
	std::vector<Oid> types_;
	std::vector<Datum> values_;
	std::vector<char> nulls_;
};

// What a query returned.  Gives its memory back at its end, which must come before that of its Spi.
class Rows {
public:
	explicit Rows(SPITupleTable *table, std::int64_t count) : table_(table), count_(count) {}
	Rows(Rows &&other) noexcept
		: table_(std::exchange(other.table_, nullptr)), count_(other.count_), unwinding_(other.unwinding_) {}
	Rows(const Rows &) = delete;
	Rows &operator=(const Rows &) = delete;
	~Rows() {
		// After an error PostgreSQL gives it back with everything else.
		if (table_ && std::uncaught_exceptions() == unwinding_)
			SPI_freetuptable(table_);
	}
	std::int64_t
	size() const {
		return count_;
	}
	bool
	empty() const {
		return count_ == 0;
	}

	// Columns count from 1.
	std::optional<bool> boolean(std::int64_t row, int column) const;
	std::optional<std::int64_t> bigint(std::int64_t row, int column) const;
	std::optional<double> number(std::int64_t row, int column) const;
	std::optional<Time> time(std::int64_t row, int column) const;
	std::optional<std::string> text(std::int64_t row, int column) const;  // of any type, as its output function has it
	std::optional<std::string> bytes(std::int64_t row, int column) const; // of any varlena type
	std::optional<Uuid> uuid(std::int64_t row, int column) const;
	std::optional<char> character(std::int64_t row, int column) const; // of any type of one byte

private:
	std::optional<Datum> datum(std::int64_t row, int column) const;
	SPITupleTable *table_;
	std::int64_t count_;
	int unwinding_ = std::uncaught_exceptions();
};

// Memory for what is needed for a moment only: allocations go there while it lives.
class ScratchMemory {
public:
	ScratchMemory() {
		context_ = call(
			[] { return AllocSetContextCreate(CurrentMemoryContext, "chat_v11 scratch", ALLOCSET_DEFAULT_SIZES); });
		outer_ = MemoryContextSwitchTo(context_);
	}
	ScratchMemory(const ScratchMemory &) = delete;
	ScratchMemory &operator=(const ScratchMemory &) = delete;
	~ScratchMemory() {
		MemoryContextSwitchTo(outer_);
		// After an error PostgreSQL deletes it with the context that it is in.
		if (std::uncaught_exceptions() == unwinding_)
			MemoryContextDelete(context_);
	}
	void
	reset() {
		MemoryContextReset(context_);
	}

private:
	MemoryContext context_ = nullptr;
	MemoryContext outer_ = nullptr;
	int unwinding_ = std::uncaught_exceptions();
};

// One connection to SPI.  Statements are prepared once in a session, and planned anew by PostgreSQL when what they rest
// on changes.  finish() must be called on the way out; after an error PostgreSQL cleans up by itself.
class Spi {
public:
	Spi();
	Spi(const Spi &) = delete;
	Spi &operator=(const Spi &) = delete;
	void finish();

	// Reads with the active snapshot.
	Rows query(const char *sql, Params params = {}, long limit = 0);
	// Reads with the newest snapshot.
	Rows query_latest(const char *sql, Params params = {}, long limit = 0);
	// Writes with the newest snapshot; the number of rows.
	std::int64_t execute(const char *sql, Params params = {});
	// Once, without keeping it prepared: for statements that are put together anew each time.
	void utility(const std::string &sql);
	Rows execute_returning(const char *sql, Params params = {});
	// Reads like query(), and hands over one row at a time, for answers too large to be kept, until f says false.
	void for_each(const char *sql, Params params, const std::function<bool(const Rows &, std::int64_t row)> &f);
};

// A table of the extension; InvalidOid where it is not there.
Oid find_table(const char *name);
// The same, or an index, for what stands inside call(); own_relation() raises PostgreSQL's error where it is not there.
Oid find_own_relation(const char *name);
Oid own_relation(const char *name);

// Statements that are planned while it lives go by an index, however small the table is now: a plan is kept, and the
// table grows under it.  After an error PostgreSQL ends it with the transaction.
class IndexPlans {
public:
	IndexPlans();
	void end();

private:
	int level_;
};

// Runs f with a connection of its own.
template <typename F>
auto
with_spi(F &&f) {
	Spi spi;
	if constexpr (std::is_void_v<std::invoke_result_t<F, Spi &>>) {
		f(spi);
		spi.finish();
	} else {
		auto result = f(spi);
		spi.finish();
		return result;
	}
}

// Runs f with the newest committed state, and this transaction's own changes, as its active snapshot.
template <typename F>
auto
with_latest_snapshot(F &&f) {
	call([] { PushActiveSnapshot(GetLatestSnapshot()); });
	if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
		f();
		call([] { PopActiveSnapshot(); });
	} else {
		auto result = f();
		call([] { PopActiveSnapshot(); });
		return result;
	}
}

// Runs f in a subtransaction.  An exception rolls it back and goes on its way.
template <typename F>
void
in_subtransaction(F &&f) {
	const MemoryContext memory = CurrentMemoryContext;
	const ResourceOwner owner = CurrentResourceOwner;
	const auto restore = [&] {
		MemoryContextSwitchTo(memory);
		CurrentResourceOwner = owner;
	};
	call([&] {
		BeginInternalSubTransaction(nullptr);
		MemoryContextSwitchTo(memory);
	});
	try {
		f();
		call([&] {
			ReleaseCurrentSubTransaction();
			restore();
		});
	} catch (...) {
		clean_up([&] {
			RollbackAndReleaseCurrentSubTransaction();
			restore();
		});
		throw;
	}
}

} // namespace chat_v11::pg
