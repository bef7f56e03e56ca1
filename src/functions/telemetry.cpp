// Telemetry: what comes in, and what is asked of it.

#include "pg/telemetry.hpp"
#include "core/refusal.hpp"
#include "functions/span.hpp"
#include "pg/event_ring.hpp"
#include "pg/release.hpp"
#include "pg/rollout.hpp"
#include "pg/settings.hpp"

#include <nlohmann/json.hpp>

#include <cstring>

namespace chat_v11 {

namespace {

using Json = nlohmann::json;

constexpr std::string_view fields[] = {"at", "kind", "cohort", "actor", "subject", "value"};

[[noreturn]] void
bad_element(size_t index, std::string_view field, const std::string &why, const std::string &hint = {}) {
	throw invalid_argument("event " + std::to_string(index) + ", field " + std::string(field) + ": " + why,
						   "Elements count from 0. Nothing of the batch was stored.", hint);
}

// Reads a text by a type's own input function; its complaint becomes ours.
Datum
parsed(PGFunction input, const std::string &text, size_t index, std::string_view field) {
	const auto server = pg::from_utf8(text);
	try {
		return pg::call([&] {
			return DirectFunctionCall3(input, CStringGetDatum(server.c_str()), ObjectIdGetDatum(InvalidOid),
									   Int32GetDatum(-1));
		});
	} catch (const pg::Error &e) {
		if (ERRCODE_TO_CATEGORY(e.sqlstate()) != ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION))
			throw;
		bad_element(index, field, pg::to_utf8_lenient(e.what()));
	}
}

// Puts in what was worked out, the cohort too where only the actor was given, and stores the event.
void
store(pg::EventRow &event, const EventFields &facts) {
	event.put(0, pg::time_datum(*facts.at));
	event.put_names(*facts.kind, facts.cohort ? *facts.cohort : pg::cohort_of(pg::uuid_from(event.values[3])));
	pg::insert_event(event);
}

void
store_batch_event(const Json &element, size_t index, Time now) {
	if (!element.is_object())
		bad_element(index, "(whole)", "is not an object");
	pg::EventRow event;
	EventFields facts;
	facts.at = now;
	for (const auto &[key, value] : element.items()) {
		const auto field = std::find(std::begin(fields), std::end(fields), key);
		if (field == std::end(fields))
			bad_element(index, key, "there is no such field", "Fields are at, kind, cohort, actor, subject, value.");
		if (value.is_null())
			continue;
		const auto column = static_cast<int>(field - std::begin(fields));
		if (key == "value") {
			if (!value.is_number())
				bad_element(index, key, "must be a number");
			facts.value = value.get<double>();
			event.put(column, pg::call([&] { return Float8GetDatum(*facts.value); }));
			continue;
		}
		if (!value.is_string())
			bad_element(index, key, "must be a string");
		const auto text = value.get<std::string>();
		try {
			if (key == "kind")
				facts.kind = parse_kind(text);
			else if (key == "cohort")
				facts.cohort = parse_cohort(text);
		} catch (const Refusal &e) {
			bad_element(index, key, std::string(e.what()).substr(std::strlen(e.token()) + 2), e.hint());
		}
		if (key == "at") {
			const auto at = parsed(timestamptz_in, text, index, key);
			facts.at_infinite = TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(at));
			facts.at = facts.at_infinite ? std::nullopt : std::optional(pg::time_from_pg(DatumGetTimestampTz(at)));
		} else if (key == "actor" || key == "subject") {
			(key == "actor" ? facts.has_actor : facts.has_subject) = true;
			event.put(column, parsed(uuid_in, text, index, key));
		}
	}
	if (const auto error = check_event(facts, now, pg::bucket_retention()))
		bad_element(index, error->field, error->sentence, error->hint);
	store(event, facts);
}

void
put_metrics(pg::ResultSet &results, const pg::SpanTotals &span) {
	for (const auto &rule : metric_rules())
		for (const auto cohort : {Cohort::v11, Cohort::v10}) {
			const auto i = static_cast<size_t>(cohort);
			const auto figure = rule.of(span.totals[i], span.percentiles[i]);
			pg::Row row(results.columns());
			pg::RowWriter(row) << rule.name << name(cohort) << figure.value << figure.numerator << figure.denominator;
			results.put(row);
		}
}

void
refuse_unsound(const EventFields &event, Time now) {
	const auto error = check_event(event, now, pg::bucket_retention());
	if (error && !(error->by_clock && pg::is_restoring()))
		throw invalid_argument(error->sentence, "Field " + std::string(error->field) + " of chat_v11.event.",
							   error->hint);
}

} // namespace

// The table's CHECK: true, or an error that names the field.  No allocation on the way of a sound event.
CHAT_V11_ENTRY(chat_v11_check_event) {
	EventFields event;
	if (!PG_ARGISNULL(0)) {
		const auto at = PG_GETARG_TIMESTAMPTZ(0);
		event.at_infinite = TIMESTAMP_NOT_FINITE(at);
		if (!event.at_infinite)
			event.at = pg::time_from_pg(at);
	}
	if (!PG_ARGISNULL(1))
		event.kind = static_cast<Kind>(PG_GETARG_CHAR(1));
	if (!PG_ARGISNULL(2))
		event.cohort = static_cast<Cohort>(PG_GETARG_CHAR(2));
	event.has_actor = !PG_ARGISNULL(3);
	event.has_subject = !PG_ARGISNULL(4);
	if (!PG_ARGISNULL(5))
		event.value = PG_GETARG_FLOAT8(5);
	refuse_unsound(event, pg::now());
	PG_RETURN_BOOL(true);
}

CHAT_V11_ENTRY(chat_v11_record) {
	enum Argument { kind, cohort, actor, subject, value, at };
	const auto now = pg::now();
	EventFields facts;
	facts.at = now;
	if (!PG_ARGISNULL(at)) {
		const auto moment = PG_GETARG_TIMESTAMPTZ(at);
		facts.at_infinite = TIMESTAMP_NOT_FINITE(moment);
		facts.at = facts.at_infinite ? std::nullopt : std::optional(pg::time_from_pg(moment));
	}
	if (const auto text = pg::text_arg(fcinfo, kind))
		facts.kind = parse_kind(*text);
	if (const auto text = pg::text_arg(fcinfo, cohort))
		facts.cohort = parse_cohort(*text);
	facts.has_actor = !PG_ARGISNULL(actor);
	facts.has_subject = !PG_ARGISNULL(subject);
	pg::EventRow event;
	if (facts.has_actor)
		event.put(3, PG_GETARG_DATUM(actor));
	if (facts.has_subject)
		event.put(4, PG_GETARG_DATUM(subject));
	if (!PG_ARGISNULL(value)) {
		facts.value = PG_GETARG_FLOAT8(value);
		event.put(5, PG_GETARG_DATUM(value));
	}
	refuse_unsound(facts, now);
	store(event, facts);
	PG_RETURN_VOID();
}

CHAT_V11_ENTRY(chat_v11_record_batch) {
	if (PG_ARGISNULL(0))
		throw invalid_argument("p_events is null", {}, "Give a JSON array of objects.");
	const char *text = pg::call([&] {
		auto *value = PG_GETARG_JSONB_P(0);
		return JsonbToCString(nullptr, &value->root, VARSIZE(value));
	});
	const auto batch = Json::parse(pg::to_utf8(text), nullptr, false);
	if (!batch.is_array())
		throw invalid_argument("p_events is not an array", {}, "Give a JSON array of objects.");
	const auto now = pg::now();
	size_t index = 0;
	for (const auto &element : batch) {
		pg::check_for_interrupts();
		store_batch_event(element, index++, now);
	}
	return Int64GetDatum(static_cast<std::int64_t>(batch.size()));
}

// A uuid of version 8 from SHA-256 of actor, device and sequence number.
CHAT_V11_ENTRY(chat_v11_write_key) {
	const auto *actor = PG_GETARG_UUID_P(0);
	const auto device = *pg::text_arg(fcinfo, 1);
	const auto sequence = static_cast<std::uint64_t>(PG_GETARG_INT64(2));
	std::string bytes(reinterpret_cast<const char *>(actor->data), UUID_LEN);
	for (int shift = 56; shift >= 0; shift -= 8)
		bytes += static_cast<char>(sequence >> shift);
	bytes += device;
	const auto digest = pg::sha256(bytes);
	auto *key = pg::call([] { return static_cast<pg_uuid_t *>(palloc(sizeof(pg_uuid_t))); });
	std::memcpy(key->data, digest.data(), UUID_LEN);
	key->data[6] = static_cast<unsigned char>((key->data[6] & 0x0F) | 0x80);
	key->data[8] = static_cast<unsigned char>((key->data[8] & 0x3F) | 0x80);
	return UUIDPGetDatum(key);
}

// For an installation of 0.1 whose library was replaced already: its SQL still calls this.
CHAT_V11_ENTRY(chat_v11_maturity_delay) {
	const auto input = pg::with_spi([](pg::Spi &spi) { return pg::load_gate_input(spi, State{}, pg::now()); });
	return pg::interval_datum(maturity_delay(input.settings.report_grace));
}

CHAT_V11_ENTRY(chat_v11_metrics) {
	const auto asked = span_arg(fcinfo, 0, "select * from chat_v11.metrics(now() - interval '15 min', now());");
	const auto span = pg::with_spi([&](pg::Spi &spi) {
		const auto input = pg::load_gate_input(spi, State{}, pg::now());
		return pg::SpanReader(spi, input.now, input.settings).read(spi, asked.from, asked.to);
	});
	pg::ResultSet results(fcinfo);
	put_metrics(results, span);
	return static_cast<Datum>(0);
}

} // namespace chat_v11
