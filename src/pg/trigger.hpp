#pragma once

// A trigger's call in C++ terms: which event, and the old and new row by column name.

#include "pg/datum.hpp"

namespace chat_v11::pg {

class TriggerCall {
public:
	// Raises where the function was not called by the trigger manager.
	explicit TriggerCall(FunctionCallInfo fcinfo);

	bool
	is_insert() const {
		return TRIGGER_FIRED_BY_INSERT(data_->tg_event);
	}
	bool
	is_update() const {
		return TRIGGER_FIRED_BY_UPDATE(data_->tg_event);
	}
	bool
	is_delete() const {
		return TRIGGER_FIRED_BY_DELETE(data_->tg_event);
	}
	bool
	is_truncate() const {
		return TRIGGER_FIRED_BY_TRUNCATE(data_->tg_event);
	}
	std::string
	table() const {
		return RelationGetRelationName(data_->tg_relation);
	}
	const char *operation() const;
	// A subscription's worker does what was done at the publisher; not some other trigger or function that it runs.
	bool is_applied() const;

	HeapTuple
	old_row() const {
		return data_->tg_trigtuple;
	}
	HeapTuple
	new_row() const {
		return is_update() ? data_->tg_newtuple : data_->tg_trigtuple;
	}

	bool has(const char *column) const;
	std::optional<Datum> value(HeapTuple row, const char *column) const;
	std::optional<bool> boolean(HeapTuple row, const char *column) const;
	std::optional<std::int64_t> bigint(HeapTuple row, const char *column) const;
	std::optional<Time> time(HeapTuple row, const char *column) const;
	std::optional<std::string> text(HeapTuple row, const char *column) const;
	std::optional<std::string> bytes(HeapTuple row, const char *column) const;
	// Any type, as its output function has it.
	std::optional<std::string> output(HeapTuple row, const char *column) const;

	// Whether the two rows of an update differ in the column.
	bool differs(const char *column) const;

	// The new row with some columns replaced.
	class Replacement {
	public:
		explicit Replacement(const TriggerCall &trigger);
		void set(const char *column, Datum value);
		void set_null(const char *column);
		template <typename T>
		void
		set(const char *column, const std::optional<T> &value, Datum (*convert)(T)) {
			if (value)
				set(column, convert(*value));
			else
				set_null(column);
		}
		HeapTuple apply() const;

	private:
		const TriggerCall &trigger_;
		std::vector<int> columns_;
		std::vector<Datum> values_;
		std::vector<char> nulls_;
	};

	// The whole row as a value of the table's row type.
	Datum as_datum(HeapTuple row) const;
	Oid row_type() const;
	Relation
	relation() const {
		return data_->tg_relation;
	}

private:
	int number_of(const char *column) const;
	TriggerData *data_;
	int depth_; // 1 for a statement that no trigger gave
};

// What a BEFORE ROW trigger answers to a row that a subscription brings and that is not taken; told once a table.
Datum pass_over(const TriggerCall &trigger);

} // namespace chat_v11::pg
