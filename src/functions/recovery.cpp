// Limits of recovery, for the chat's backend to ask in the path of a request.

#include "pg/recovery.hpp"

#include "core/refusal.hpp"
#include "core/transition.hpp"
#include "pg/event_ring.hpp"
#include "pg/on_commit.hpp"
#include "pg/release.hpp"

namespace chat_v11 {

namespace {

// What is told of a call.  A refusal's event stays, though the refusal itself ends the transaction that tells of it.
struct Told {
	Time at;
	Cohort cohort;
	std::optional<Uuid> actor;
	std::optional<Uuid> subject;
	std::optional<double> value;

	void
	as(Kind kind, pg::Rollback rollback) const {
		pg::EventRow event;
		event.put(0, pg::time_datum(at));
		event.put_names(kind, cohort);
		if (actor)
			event.put(3, PointerGetDatum(actor->data()));
		if (subject)
			event.put(4, PointerGetDatum(subject->data()));
		if (value)
			event.put(5, pg::call([&] { return Float8GetDatum(*value); }));
		pg::insert_event(event, rollback);
	}
};

constexpr const char *ask_later = "The client asks again then, and goes on with what it has until then: select "
								  "chat_v11.recovery_policy();";

std::string
uuid_text(const Uuid &uuid) {
	const auto text = to_text(uuid);
	return {text.data(), text.size()};
}

std::string
to_wait(Duration wait) {
	return std::to_string(seconds_to_wait(wait)) + " s to wait: ";
}

Uuid
required_uuid(FunctionCallInfo fcinfo, int n, const char *name) {
	if (PG_ARGISNULL(n))
		throw invalid_argument(std::string(name) + " is null", {},
							   "select chat_v11.admit_full_state('the dialog''s uuid', 'the user''s uuid');");
	return pg::uuid_from(PG_GETARG_DATUM(n));
}

std::string
quoted(const std::string &text) {
	std::string out = "'";
	for (const char c : one_line(truncate_utf8(text, 64))) {
		out += c;
		if (c == '\'')
			out += c;
	}
	return out + "'";
}

} // namespace

CHAT_V11_ENTRY(chat_v11_admit_full_state) {
	const auto dialog = required_uuid(fcinfo, 0, "p_dialog");
	const auto actor = required_uuid(fcinfo, 1, "p_actor");
	pg::call([] { PreventCommandIfReadOnly("chat_v11.admit_full_state()"); });
	const auto admission = pg::admit_full_state(dialog);
	const Told told{admission.at, pg::cohort_of(actor), actor, dialog, {}};
	if (admission.admitted()) {
		told.as(Kind::full_state, pg::Rollback::undoes);
		PG_RETURN_VOID();
	}
	told.as(Kind::resync_throttled, pg::Rollback::keeps);
	const auto of_dialog = "full state of dialog " + uuid_text(dialog);
	if (admission.is_open)
		throw resync_throttled("another transaction is admitted to a " + of_dialog + ", and has not ended",
							   to_wait(pg::recovery_settings().resync_backoff_base) + "if it commits, it is one in " +
								   format_duration(admission.interval) + ".",
							   ask_later);
	throw resync_throttled("too soon for another " + of_dialog,
						   to_wait(admission.wait) + "the last one was admitted at " +
							   format_utc(admission.at + admission.wait - admission.interval) +
							   ", and there is one in " + format_duration(admission.interval) + " for each dialog.",
						   ask_later);
}

// (p_stream), or (p_stream, p_actor, p_behind).
CHAT_V11_ENTRY(chat_v11_admit_resync) {
	const auto stream = pg::text_arg(fcinfo, 0);
	if (!stream)
		throw invalid_argument("p_stream is null", {}, "select chat_v11.admit_resync('the stream');");
	validate_stream(*stream);
	Told told{};
	if (PG_NARGS() > 1 && !PG_ARGISNULL(1))
		told.actor = pg::uuid_from(PG_GETARG_DATUM(1));
	if (PG_NARGS() > 2 && !PG_ARGISNULL(2))
		told.value = PG_GETARG_FLOAT8(2);
	told.subject = parse_uuid(*stream);
	told.at = pg::now();
	told.cohort = told.actor                           ? pg::cohort_of(*told.actor)
				  : pg::current_release().has(*stream) ? Cohort::v11
													   : Cohort::v10;
	EventFields facts{
		told.at,   false, Kind::resync_request, told.cohort, told.actor.has_value(), told.subject.has_value(),
		told.value};
	if (const auto error = check_event(facts, told.at, Duration::zero()))
		throw invalid_argument(error->field == "value" ? "p_behind must be finite and from 0 to 1e9" : error->sentence);
	pg::call([] { PreventCommandIfReadOnly("chat_v11.admit_resync()"); });
	switch (pg::begin_resync(*stream)) {
	case pg::Flight::begun:
		pg::forbid_prepare("admit_resync()", "It would keep its stream from everybody until its COMMIT PREPARED.");
		told.as(Kind::resync_request, pg::Rollback::undoes);
		break;
	case pg::Flight::own: break; // asked for twice, flown once
	case pg::Flight::of_another: {
		told.as(Kind::resync_request, pg::Rollback::keeps);
		told.as(Kind::resync_throttled, pg::Rollback::keeps);
		const auto name = quoted(*stream);
		throw resync_throttled("a resync of stream " + name + " is under way in another transaction",
							   to_wait(pg::recovery_settings().resync_backoff_base) +
								   "it ends with that transaction; the n-th repetition waits longer.",
							   "select chat_v11.resync_backoff_ms(1, " + name + ");");
	}
	case pg::Flight::one_too_many:
		throw invalid_argument("a transaction resyncs at most " + std::to_string(pg::most_resyncs()) + " streams",
							   "Each is a lock of the server until the transaction ends, and a kill needs some too.",
							   "Commit, and go on in another transaction.");
	}
	PG_RETURN_VOID();
}

CHAT_V11_ENTRY(chat_v11_resync_backoff_ms) {
	const auto key = pg::text_arg(fcinfo, 1);
	if (PG_ARGISNULL(0) || !key)
		throw invalid_argument(std::string(key ? "p_attempt" : "p_key") + " is null", {},
							   "select chat_v11.resync_backoff_ms(1, 'the stream');");
	const auto settings = pg::recovery_settings();
	return Int32GetDatum(
		resync_backoff_ms(PG_GETARG_INT32(0), *key, settings.resync_backoff_base, settings.resync_backoff_cap));
}

CHAT_V11_ENTRY(chat_v11_recovery_policy) {
	return pg::jsonb_datum(pg::recovery_policy());
}

} // namespace chat_v11
