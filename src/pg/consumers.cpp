#include "pg/consumers.hpp"

#include "pg/lock.hpp"
#include "pg/on_commit.hpp"
#include "pg/store.hpp"

#include <algorithm>

namespace chat_v11::pg {

namespace {

// One writer a consumer, to the end of its transaction, taken before the snapshot that it reads with: so nobody else
// changes the row meanwhile, and a REPEATABLE READ transaction cannot fail on it.  Whoever comes second goes away
// instead of waiting: two transactions that acknowledge for two consumers in either order would wait for each other.
bool
lock_consumer(const std::string &consumer) {
	return call([&] {
		const Oid table = get_relname_relid("consumer", get_namespace_oid("chat_v11", false));
		const LOCKTAG tag = named_in(table, consumer.data(), consumer.size());
		return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
	});
}

std::optional<Ack>
stored_ack(Spi &spi, const std::string &consumer) {
	const auto rows = spi.query_latest("SELECT c.version, c.seen_at FROM chat_v11.consumer c WHERE c.name = $1",
									   Params() << consumer);
	return rows.empty() ? std::nullopt : std::optional(Ack{*rows.bigint(0, 1), *rows.time(0, 2)});
}

} // namespace

void
ack_version(Spi &spi, const std::string &consumer, std::int64_t version, const std::string &role, Time now) {
	IndexPlans plans;
	validate_ack(consumer, version, with_latest_snapshot([&] { return load_state(spi).state.version; }));
	bool is_news = ack_is_news(stored_ack(spi, consumer), version, now);
	if (is_news && !lock_consumer(consumer)) {
		is_news = false;
		tell(NOTICE, "not acknowledged: another transaction acknowledges for this consumer", {}, "Say it again.");
	}
	// Somebody may have said it between the look and the lock.
	if (const auto stored = is_news ? stored_ack(spi, consumer) : std::nullopt; is_news && stored) {
		if (ack_is_news(stored, version, now))
			spi.execute("UPDATE chat_v11.consumer c SET version = $2, seen_at = $3, role = $4, "
						"since = CASE WHEN c.version = $2 THEN c.since ELSE $3 END WHERE c.name = $1",
						Params() << consumer << version << now << role);
	} else if (is_news) {
		spi.execute("INSERT INTO chat_v11.consumer (name, version, since, seen_at, role) VALUES ($1, $2, $3, $3, $4)",
					Params() << consumer << version << now << role);
	}
	plans.end();
}

std::vector<Consumer>
load_consumers(Spi &spi, Time now) {
	std::vector<Consumer> consumers;
	const auto rows = spi.query("SELECT c.name, c.version, c.since, c.seen_at, c.role FROM chat_v11.consumer c "
								"WHERE c.seen_at >= $1 ORDER BY c.name COLLATE \"C\"",
								Params() << now - consumer_silence);
	for (std::int64_t i = 0; i < rows.size(); ++i)
		consumers.push_back(
			{*rows.text(i, 1), *rows.bigint(i, 2), *rows.time(i, 3), *rows.time(i, 4), *rows.text(i, 5)});
	return consumers;
}

std::int64_t
drop_silent_consumers(Spi &spi, Time now) {
	// A mocked clock that runs ahead must not drop who was heard of by the real one.
	const auto bound = std::min(now, real_now()) - consumer_silence;
	const auto silent =
		spi.query_latest("SELECT c.name FROM chat_v11.consumer c WHERE c.seen_at < $1 LIMIT 1000", Params() << bound);
	std::int64_t dropped = 0;
	for (std::int64_t i = 0; i < silent.size(); ++i) {
		const auto consumer = *silent.text(i, 1);
		if (lock_consumer(consumer))
			dropped += spi.execute("DELETE FROM chat_v11.consumer c WHERE c.name = $1 AND c.seen_at < $2",
								   Params() << consumer << bound);
	}
	return dropped;
}

} // namespace chat_v11::pg
