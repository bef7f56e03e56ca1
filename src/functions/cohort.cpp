// Who gets v1.1.

#include "pg/release.hpp"
#include "pg/utf8_view.hpp"

namespace chat_v11 {

// Called for every request of a chat.  Not STRICT: a null is out, and no null.
CHAT_V11_ENTRY(chat_v11_is_enabled) {
	const auto &release = pg::current_release();
	if (PG_ARGISNULL(0))
		PG_RETURN_BOOL(false);
	const pg::Utf8View id(PG_GETARG_DATUM(0));
	PG_RETURN_BOOL(release.has(id.bytes()));
}

CHAT_V11_ENTRY(chat_v11_bucket) {
	const pg::Utf8View id(PG_GETARG_DATUM(0));
	PG_RETURN_INT32(static_cast<std::int32_t>(flagd_bucket(id.bytes())));
}

CHAT_V11_ENTRY(chat_v11_targeting_key) {
	const pg::Utf8View id(PG_GETARG_DATUM(0));
	return pg::text_datum(targeting_key(id.bytes()));
}

// How many of some ids each stage has, killed or not.
CHAT_V11_ENTRY(chat_v11_cohort_share) {
	const auto bucketing = pg::release_to_show().bucketing;
	Datum *ids = nullptr;
	bool *nulls = nullptr;
	int count = 0;
	if (!PG_ARGISNULL(0))
		pg::call([&] {
			deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false, TYPALIGN_INT, &ids, &nulls, &count);
		});
	ShareCount counts(bucketing);
	for (int i = 0; i < count; ++i) {
		pg::check_for_interrupts();
		if (!nulls[i])
			counts.add(pg::Utf8View(ids[i]).bytes());
	}
	pg::ResultSet results(fcinfo);
	for (const auto stage : all_stages) {
		const auto share = counts.at(stage);
		pg::Row row(results.columns());
		pg::RowWriter(row) << name(stage) << share.ids << share.in_cohort << share.measured << share.target
						   << share.standard_errors;
		results.put(row);
	}
	return static_cast<Datum>(0);
}

} // namespace chat_v11
