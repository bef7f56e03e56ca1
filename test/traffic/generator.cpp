#include "generator.hpp"

#include <algorithm>
#include <limits>

namespace traffic {

namespace {

constexpr std::int64_t window_minutes = 15; // of the P1 checks
constexpr std::uint64_t golden = 0x9e3779b97f4a7c15;

// Medians in microseconds, deviations in thousandths, and the longest of each.  A receipt is 8 s after its ack at most,
// so that only a lost or late one ever passes the 10 s.
constexpr std::int64_t service_median = 80'000, service_sigma = 500, service_cap = 4 * second;
constexpr std::int64_t receipt_median = 180'000, receipt_sigma = 600, receipt_cap = 8 * second;
constexpr std::int64_t delivery_median = 120'000, delivery_sigma = 600, delivery_cap = 4 * second;
constexpr std::int64_t reading_median = 2 * second, reading_sigma = 600, reading_cap = 6 * second;
constexpr std::int64_t recovery_median = 900'000, recovery_sigma = 600, recovery_cap = 120 * second;

constexpr Micros stalled_for = 31 * second; // a stall is reported after 30 s
constexpr Micros stalls_within = 20 * second;

Micros
start_of(std::int64_t minute) {
	return minute * minute_length;
}

// What happens now and then: so many in a million writes or session-minutes.
struct Rare {
	Kind kind;
	bool per_session;
	std::uint64_t rate;
};

// Rejected writes come on top of the accepted ones.
constexpr Rare rare_kinds[] = {
	{Kind::write_rejected, false, 2'000}, {Kind::forced_resync, true, 3'000}, {Kind::full_state, true, 3'000},
	{Kind::resync_request, true, 5'000},  {Kind::recovery_done, true, 5'000},
};
constexpr std::uint64_t request_rate = 5'000;
// One in twenty: a window of 20 writes, the fewest that are judged, holds one.
constexpr std::uint64_t wobble_reject_rate = 50'000;
constexpr std::uint64_t unavailable_every = 100, throttled_every = 50; // requests

} // namespace

Micros
Generator::Slot::at(Random &random) const {
	return begins + static_cast<Micros>(random.below(length));
}

Generator::Generator(const Options &given, const Users &all_users, Writer &to)
	: options(given), users(all_users), writer(to), load(given.writes_per_hour, given.flat),
	  phase(Random(given.seed, Stream::phase, 0).next()) {
	if (options.stalls > users.in_v11())
		throw BadUsage("--stalls: cohort v11 has only " + std::to_string(users.in_v11()) + " users");
	const auto needed = options.writes_harmed();
	if (const auto spare = spare_writes(needed); spare < needed)
		throw BadUsage("only " + std::to_string(spare) +
					   " v11 writes begin between the middle and the end of the span, and the incidents need " +
					   std::to_string(needed));
}

std::uint64_t
Generator::before(std::int64_t minute, bool sessions) const {
	return load.before(minute, sessions ? options.sessions_per_write : 1);
}

UserIndex
Generator::user_of_session(std::uint64_t session) const {
	return users.at(static_cast<std::uint32_t>((phase + session * golden) >> 32));
}

// A write is made in a session that is active in that very minute.
Generator::Write
Generator::write_of(std::int64_t minute, std::uint64_t first, std::uint64_t past, std::uint64_t number) const {
	Write write{Random(options.seed, Stream::write, static_cast<std::uint64_t>(minute), number - first), number, 0,
				user_of_session(number * options.sessions_per_write), false};
	const auto begins = (number - first) * minute_length / (past - first);
	const auto ends = (number - first + 1) * minute_length / (past - first);
	write.at = Slot{start_of(minute) + static_cast<Micros>(begins), ends - begins}.at(write.random);
	write.is_shown = users.is_v11(write.user) || number % options.sparse_control == 0;
	return write;
}

// How many v11 writes begin from the middle of the span on, counted no further than needed.
std::uint64_t
Generator::spare_writes(std::uint64_t enough) const {
	std::uint64_t found = 0;
	for (auto minute = options.middle() / minute_length; found < enough && start_of(minute) < options.to; ++minute) {
		const auto first = before(minute, false), past = before(minute + 1, false);
		for (auto number = first; number < past; ++number) {
			const auto write = write_of(minute, first, past, number);
			found += users.is_v11(write.user) && in_span(write.at) && write.at >= options.middle();
		}
	}
	return found;
}

UserIndex
Generator::anybody(bool v11, Random &random) const {
	return static_cast<UserIndex>(v11 ? random.below(users.in_v11()) : users.in_v11() + random.below(users.in_v10()));
}

Subject
Generator::dialog_of(UserIndex user, Random &random) const {
	Random dialog(options.seed, Stream::dialog, user, random.below(8));
	const auto high = dialog.next();
	return {high, dialog.next()};
}

void
Generator::run() {
	for (auto minute = options.from / minute_length; start_of(minute) < options.to; ++minute) {
		make_writes(minute);
		make_sessions(minute);
		make_occasional(minute, false);
		make_occasional(minute, true);
		make_stalls(minute);
		// Whatever a later minute makes is later than its start.
		std::sort(pending.begin(), pending.end());
		auto next = pending.begin();
		for (; next != pending.end() && next->at < start_of(minute + 1); ++next)
			writer.write(*next);
		pending.erase(pending.begin(), next);
	}
	for (const auto &event : pending)
		writer.write(event);
	pending.clear();
	writer.flush();
}

void
Generator::make_writes(std::int64_t minute) {
	const auto first = before(minute, false), past = before(minute + 1, false);
	for (auto number = first; number < past; ++number) {
		auto write = write_of(minute, first, past, number);
		if (in_span(write.at))
			make_write(write);
	}
}

void
Generator::make_write(Write &write) {
	auto &random = write.random;
	const auto high = random.next();
	const Subject key{high, random.next()};
	const auto slow = [&](std::int64_t median) { return slowed(median, write.user); };
	const auto acked = write.at + random.log_normal(slow(service_median), service_sigma, service_cap);
	pending.push_back({acked, Kind::write_ack, write.user, key});
	if (!is_paired(write.user, write.number))
		return;
	pending.push_back({write.at, Kind::write_started, write.user, key});

	// The incidents hit the first v11 writes after the middle of the span.  Their randomness is their own, so that the
	// rest stays as it is without them.
	const bool is_v11 = users.is_v11(write.user);
	const auto turn = is_v11 && write.at >= options.middle() ? harmed++ : std::numeric_limits<std::uint64_t>::max();
	Random incident(options.seed, Stream::incident, turn);
	auto answer = random.log_normal(slow(receipt_median), receipt_sigma, receipt_cap);
	const bool is_lost = turn < options.lose_receipts;
	if (!is_lost && turn < options.lose_receipts + options.late_receipts)
		answer = 10'500'000 + static_cast<Micros>(incident.below(9'500'000));
	if (!is_lost)
		pending.push_back({acked + answer, Kind::write_receipt, write.user, key});
	if (!write.is_shown)
		return;

	const auto message_high = random.next();
	const Subject message{message_high, random.next()};
	const auto dialog = dialog_of(write.user, random);
	auto reader = anybody(is_v11, random);
	auto delivered = acked + random.log_normal(slow(delivery_median), delivery_sigma, delivery_cap);
	pending.push_back({delivered, Kind::timeline_delivered, reader, message});
	if (turn < options.duplicates)
		pending.push_back({delivered + 100'000 + static_cast<Micros>(incident.below(800'000)), Kind::timeline_duplicate,
						   reader, message});
	// The second timeline is another user's: one that had the message twice would be a duplicate.
	const auto other = reader + 1;
	if (random.below(2) && other < users.count() && users.is_v11(other) == is_v11)
		pending.push_back({acked + random.log_normal(slow(delivery_median), delivery_sigma, delivery_cap),
						   Kind::timeline_delivered, other, message});

	const auto read = delivered + random.log_normal(reading_median, reading_sigma, reading_cap);
	const bool goes_back = turn < options.read_rollbacks;
	// Three in five, never two without one after the other: few kinds are as scarce at night, and stale telemetry opens
	// no gate.
	const bool is_read = (is_v11 ? write.number : write.number / options.sparse_control) * 3 % 5 < 3;
	if (is_read || goes_back)
		pending.push_back({read, Kind::read_cursor, reader, dialog});
	if (goes_back)
		pending.push_back(
			{read + 200'000 + static_cast<Micros>(incident.below(1'000'000)), Kind::read_rollback, reader, dialog});
}

void
Generator::make_sessions(std::int64_t minute) {
	const auto first = before(minute, true), past = before(minute + 1, true);
	for (auto number = first; number < past; ++number) {
		const auto user = user_of_session(number);
		if (!users.is_v11(user) && number % options.sparse_control != 0)
			continue;
		Random random(options.seed, Stream::session, static_cast<std::uint64_t>(minute), number - first);
		const auto begins = (number - first) * minute_length / (past - first);
		const auto ends = (number - first + 1) * minute_length / (past - first);
		const auto at = Slot{start_of(minute) + static_cast<Micros>(begins), ends - begins}.at(random);
		if (in_span(at))
			pending.push_back({at, Kind::session_active, user});
	}
}

// A rate over few samples cannot be small: one rejected write of 25 is 4 %, and the limit is 1 %.  Real traffic fails
// such a check by chance; healthy traffic that serves tests must not.  So v11 errs only where a window of 15 min holds
// so many samples that two errors in it stay below the limit (and errors are spread evenly, so that there are no more).
// With few v11 users the canary therefore looks a little better than control.
bool
Generator::may_err(Kind kind, std::int64_t minute, bool v11) const {
	if (!v11)
		return true;
	if (kind == Kind::write_rejected && options.wobble)
		return true;
	if (start_of(minute - window_minutes) < options.share_since)
		return false;
	const auto samples = [&](bool sessions) {
		const auto all = before(minute + 1, sessions) - before(minute + 1 - window_minutes, sessions);
		return all * options.share / 100;
	};
	switch (kind) {
	case Kind::write_rejected: return samples(false) >= 300;                            // limit 0.01
	case Kind::forced_resync:                                                           // limit 0.05
	case Kind::full_state: return samples(true) >= 60;                                  // limit 0.05
	case Kind::resync_range_unavailable:                                                // limit 0.05
	case Kind::resync_throttled: return samples(true) * request_rate / 1'000'000 >= 60; // limit 0.10
	default: return true;
	}
}

void
Generator::make_occasional(std::int64_t minute, bool v11) {
	if ((v11 ? users.in_v11() : users.in_v10()) == 0)
		return;
	const auto percent = v11 ? options.share : 100 - options.share;
	for (const auto &rare : rare_kinds) {
		if (!may_err(rare.kind, minute, v11))
			continue;
		const bool rejects = rare.kind == Kind::write_rejected;
		const auto rate = rejects && v11 && options.wobble ? wobble_reject_rate : rare.rate;
		const auto every = v11 || rejects ? 1 : options.sparse_control;
		const auto name = static_cast<std::uint64_t>(rare.kind) * 2 + v11;
		const auto offset = Random(options.seed, Stream::phase, 1, name).next();
		const auto first = even_share(before(minute, rare.per_session), rate, percent, every, offset);
		const auto past = even_share(before(minute + 1, rare.per_session), rate, percent, every, offset);
		for (auto number = first; number < past; ++number) {
			Random random(options.seed, Stream::occasional, static_cast<std::uint64_t>(minute) << 8 | name, number);
			const auto begins = (number - first) * minute_length / (past - first);
			const auto ends = (number - first + 1) * minute_length / (past - first);
			const auto at = Slot{start_of(minute) + static_cast<Micros>(begins), ends - begins}.at(random);
			if (in_span(at))
				make_occasion(rare.kind, minute, number, at, anybody(v11, random), random);
		}
	}
}

void
Generator::make_occasion(Kind kind, std::int64_t minute, std::uint64_t number, Micros at, UserIndex user,
						 Random &random) {
	const bool is_v11 = users.is_v11(user);
	const auto slow = [&](std::int64_t median) { return slowed(median, user); };
	if (kind == Kind::write_rejected) {
		const auto high = random.next();
		const Subject key{high, random.next()};
		if (is_paired(user, number))
			pending.push_back({at, Kind::write_started, user, key});
		pending.push_back({at + random.log_normal(slow(service_median), service_sigma, service_cap), kind, user, key});
	} else if (kind == Kind::resync_request) {
		// Those that are refused for their range were further behind than the rest.
		const bool is_unavailable =
			number % unavailable_every == 7 && may_err(Kind::resync_range_unavailable, minute, is_v11);
		const bool is_throttled = number % throttled_every == 31 && may_err(Kind::resync_throttled, minute, is_v11);
		const auto behind = random.log_normal(is_unavailable ? 20'000 : 40, 1'200, 1'000'000);
		const auto answered = at + random.log_normal(slow(service_median), service_sigma, service_cap);
		pending.push_back({at, kind, user, {}, behind * 1000});
		if (is_unavailable)
			pending.push_back({answered, Kind::resync_range_unavailable, user});
		else if (is_throttled)
			pending.push_back({answered, Kind::resync_throttled, user});
	} else if (kind == Kind::recovery_done) {
		// In thousandths of a millisecond, which are microseconds.
		pending.push_back({at, kind, user, {}, random.log_normal(slow(recovery_median), recovery_sigma, recovery_cap)});
	} else if (kind == Kind::full_state) {
		pending.push_back({at, kind, user, dialog_of(user, random)});
	} else {
		pending.push_back({at, kind, user});
	}
}

// Each stall is another user's, and its write is never acknowledged.
void
Generator::make_stalls(std::int64_t minute) {
	if (minute != options.middle() / minute_length)
		return;
	for (std::uint64_t i = 0; i < options.stalls; ++i) {
		Random random(options.seed, Stream::stall, static_cast<std::uint64_t>(minute), i);
		const auto high = random.next();
		const Subject key{high, random.next()};
		const auto at = options.middle() + static_cast<Micros>(i * stalls_within / options.stalls);
		pending.push_back({at, Kind::write_started, static_cast<UserIndex>(i), key});
		pending.push_back({at + stalled_for, Kind::send_stall, static_cast<UserIndex>(i), key});
	}
}

} // namespace traffic
