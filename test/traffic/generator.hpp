#pragma once

// From a seed to events, minute by minute.
//
// Everything is a function of the seed, the minute and a number within it; nothing is carried along.  So a span that is
// cut anywhere gives the same events as the whole, and a higher share changes who is v11, never who writes when.
//
// The traffic is more even than real traffic, on purpose.  Users take turns along a golden-ratio sequence over the
// range of the cohort hash, so that any stretch of n writes has a share's percent of n in v11, give or take two or
// three, where real traffic would scatter by sqrt(n).  A demo at 1 % has 20 to 30 writes in a window of 15 min, and a
// check that needs 20 samples must not lose its data by chance.

#include "event.hpp"
#include "sampling.hpp"

namespace traffic {

class Generator {
public:
	// Throws BadUsage where the span has too few v11 writes or users for the incidents asked for.
	Generator(const Options &given, const Users &all_users, Writer &to);
	void run();

private:
	struct Slot { // one of n things of a minute
		Micros begins;
		std::uint64_t length;
		Micros at(Random &random) const;
	};
	struct Write {
		Random random;
		std::uint64_t number; // of all writes since 1970
		Micros at;
		UserIndex user;
		bool is_shown; // with all its events, not with its ack alone
	};

	bool
	in_span(Micros at) const {
		return at >= options.from && at < options.to;
	}
	std::uint64_t before(std::int64_t minute, bool sessions) const;
	UserIndex user_of_session(std::uint64_t session) const;
	Write write_of(std::int64_t minute, std::uint64_t first, std::uint64_t past, std::uint64_t number) const;
	std::uint64_t spare_writes(std::uint64_t enough) const;
	UserIndex anybody(bool v11, Random &random) const;
	Subject dialog_of(UserIndex user, Random &random) const;
	// The median of a latency, slowed down as the user's cohort is.
	std::int64_t
	slowed(std::int64_t median, UserIndex user) const {
		const auto all = static_cast<std::int64_t>(options.slow_all);
		if (!users.is_v11(user))
			return median * all / 100;
		return median * (options.wobble ? 6 : 1) * static_cast<std::int64_t>(options.slow_canary) * all / 10'000;
	}
	// Whether a write has a start, and a receipt, too.
	bool
	is_paired(UserIndex user, std::uint64_t number) const {
		return options.paired_control || users.is_v11(user) || number % options.sparse_control == 0;
	}

	void make_writes(std::int64_t minute);
	void make_write(Write &write);
	void make_sessions(std::int64_t minute);
	bool may_err(Kind kind, std::int64_t minute, bool v11) const;
	void make_occasional(std::int64_t minute, bool v11);
	void make_occasion(Kind kind, std::int64_t minute, std::uint64_t number, Micros at, UserIndex user, Random &random);
	void make_stalls(std::int64_t minute);

	const Options &options;
	const Users &users;
	Writer &writer;
	Load load;
	std::uint64_t phase;
	std::uint64_t harmed = 0;   // v11 writes since the middle of the span
	std::vector<Event> pending; // made, and not yet certain to be next
};

} // namespace traffic
