#include "pg/spi.hpp"

#include <cstring>
#include <unordered_map>

namespace chat_v11::pg {

namespace {

// A prepared statement for the text and the types of its parameters.
SPIPlanPtr
prepared(const char *sql, Params &params) {
	static std::unordered_map<std::string, SPIPlanPtr> plans;
	std::string key(reinterpret_cast<const char *>(params.types()), sizeof(Oid) * static_cast<size_t>(params.size()));
	key += sql;
	auto &known = plans[key];
	if (!known) {
		const auto plan = call([&] {
			SPIPlanPtr made = SPI_prepare(sql, params.size(), params.types());
			if (!made)
				elog(ERROR, "prepare failed: %s", SPI_result_code_string(SPI_result));
			SPI_keepplan(made);
			return made;
		});
		known = plan;
	}
	return known;
}

} // namespace

Spi::Spi() {
	call([] {
		if (SPI_connect() != SPI_OK_CONNECT)
			elog(ERROR, "SPI_connect failed");
	});
}

void
Spi::finish() {
	call([] { SPI_finish(); });
}

Rows
Spi::query(const char *sql, Params params, long limit) {
	const auto plan = prepared(sql, params);
	call([&] {
		const int rc = SPI_execute_plan(plan, params.values(), params.nulls(), true, limit);
		if (rc < 0)
			elog(ERROR, "query failed: %s", SPI_result_code_string(rc));
	});
	return Rows(SPI_tuptable, static_cast<std::int64_t>(SPI_processed));
}

Rows
Spi::query_latest(const char *sql, Params params, long limit) {
	return with_latest_snapshot([&] { return query(sql, std::move(params), limit); });
}

std::int64_t
Spi::execute(const char *sql, Params params) {
	const auto plan = prepared(sql, params);
	call([&] {
		const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
		const int rc =
			SPI_execute_snapshot(plan, params.values(), params.nulls(), snapshot, InvalidSnapshot, false, true, 0);
		UnregisterSnapshot(snapshot);
		if (rc < 0)
			elog(ERROR, "statement failed: %s", SPI_result_code_string(rc));
	});
	return static_cast<std::int64_t>(SPI_processed);
}

void
Spi::utility(const std::string &sql) {
	call([&] {
		const int rc = SPI_execute(sql.c_str(), false, 0);
		if (rc < 0)
			elog(ERROR, "statement failed: %s", SPI_result_code_string(rc));
	});
}

Rows
Spi::execute_returning(const char *sql, Params params) {
	const auto count = execute(sql, std::move(params));
	return Rows(SPI_tuptable, count);
}

void
Spi::for_each(const char *sql, Params params, const std::function<bool(const Rows &, std::int64_t)> &f) {
	const auto portal = call([&] {
		return SPI_cursor_open_with_args(nullptr, sql, params.size(), params.types(), params.values(), params.nulls(),
										 true, 0);
	});
	// What reading a value allocates is given back batch by batch.
	for (bool more = true; more;) {
		call([&] { SPI_cursor_fetch(portal, true, 200); });
		const Rows rows(SPI_tuptable, static_cast<std::int64_t>(SPI_processed));
		more = !rows.empty();
		const ScratchMemory scratch;
		for (std::int64_t i = 0; more && i < rows.size(); ++i) {
			check_for_interrupts();
			more = f(rows, i);
		}
	}
	call([&] { SPI_cursor_close(portal); });
}

Oid
own_relation(const char *name) {
	const Oid relation = get_relname_relid(name, get_namespace_oid("chat_v11", false));
	if (!OidIsValid(relation))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation \"chat_v11.%s\" does not exist", name)));
	return relation;
}

Oid
find_own_relation(const char *name) {
	const Oid schema = get_namespace_oid("chat_v11", true);
	return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
}

Oid
find_table(const char *name) {
	return call([&] { return find_own_relation(name); });
}

IndexPlans::IndexPlans() {
	level_ = call([] {
		const int level = NewGUCNestLevel();
		// A table without an index is read all the same, at a cost that must not call the JIT compiler in.
		for (const char *setting : {"enable_seqscan", "jit"})
			(void)set_config_option(setting, "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		return level;
	});
}

void
IndexPlans::end() {
	call([&] { AtEOXact_GUC(true, level_); });
}

std::optional<Datum>
Rows::datum(std::int64_t row, int column) const {
	bool is_null = true;
	const Datum value = call([&] { return SPI_getbinval(table_->vals[row], table_->tupdesc, column, &is_null); });
	return is_null ? std::nullopt : std::optional(value);
}

std::optional<bool>
Rows::boolean(std::int64_t row, int column) const {
	const auto value = datum(row, column);
	return value ? std::optional(DatumGetBool(*value)) : std::nullopt;
}

std::optional<std::int64_t>
Rows::bigint(std::int64_t row, int column) const {
	const auto value = datum(row, column);
	return value ? std::optional<std::int64_t>(DatumGetInt64(*value)) : std::nullopt;
}

std::optional<double>
Rows::number(std::int64_t row, int column) const {
	const auto value = datum(row, column);
	return value ? std::optional(DatumGetFloat8(*value)) : std::nullopt;
}

std::optional<Time>
Rows::time(std::int64_t row, int column) const {
	const auto value = datum(row, column);
	return value ? std::optional(time_from_pg(DatumGetTimestampTz(*value))) : std::nullopt;
}

std::optional<std::string>
Rows::text(std::int64_t row, int column) const {
	const char *value = call([&] { return SPI_getvalue(table_->vals[row], table_->tupdesc, column); });
	return value ? std::optional(to_utf8_lenient(value)) : std::nullopt;
}

std::optional<Uuid>
Rows::uuid(std::int64_t row, int column) const {
	const auto value = datum(row, column);
	if (!value)
		return std::nullopt;
	Uuid uuid;
	std::memcpy(uuid.data(), DatumGetUUIDP(*value)->data, uuid.size());
	return uuid;
}

std::optional<char>
Rows::character(std::int64_t row, int column) const {
	const auto value = datum(row, column);
	return value ? std::optional(DatumGetChar(*value)) : std::nullopt;
}

std::optional<std::string>
Rows::bytes(std::int64_t row, int column) const {
	const auto value = datum(row, column);
	if (!value)
		return std::nullopt;
	const auto *data = call([&] { return DatumGetByteaPP(*value); });
	return std::string(VARDATA_ANY(data), static_cast<size_t>(VARSIZE_ANY_EXHDR(data)));
}

} // namespace chat_v11::pg
