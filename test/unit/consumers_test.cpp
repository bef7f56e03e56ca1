// Who runs which version: what may be said, and what is worth a write.

#include "core/consumers.hpp"

#include "fixture.hpp"

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(consumers)

struct AckCase {
	const char *what;
	std::string consumer;
	std::int64_t version;
	const char *complaint; // "" where it is taken
};

std::ostream &
operator<<(std::ostream &out, const AckCase &c) {
	return out << c.what;
}

const std::vector<AckCase> acks = {
	{"plain", "chat-backend-7", 7, ""},
	{"first version", "a", 0, ""},
	{"longest", std::string(256, 'x'), 7, ""},
	{"not Latin", "бэкенд 7", 7, ""},
	{"empty", "", 7, "1 to 256 bytes"},
	{"too long", std::string(257, 'x'), 7, "1 to 256 bytes"},
	{"too long in bytes", std::string(255, 'x') + "ж", 7, "1 to 256 bytes"},
	{"a line", "a\nb", 7, "control characters"},
	{"a tab", "a\t", 7, "control characters"},
	{"delete", "a\x7f", 7, "control characters"},
	{"first of the upper ones", "a\xc2\x80", 7, "control characters"},
	{"last of the upper ones", "\xc2\x9f", 7, "control characters"},
	{"just above them", "\xc2\xa0", 7, ""},
	{"negative", "a", -1, "0 or more"},
	{"ahead", "a", 8, "ahead of the present one, 7"},
};

BOOST_DATA_TEST_CASE(what_may_be_said, bdata::make(acks), c) {
	const auto refusal = refusal_of([&] { validate_ack(c.consumer, c.version, 7); });
	if (!*c.complaint) {
		BOOST_TEST(refusal.token() == "ACCEPTED");
		return;
	}
	BOOST_TEST(refusal.token() == "ERR_INVALID_ARGUMENT");
	BOOST_TEST(contains(refusal.what(), c.complaint), refusal.what());
	BOOST_TEST(!refusal.hint().empty());
}

BOOST_AUTO_TEST_CASE(a_poller_costs_a_write_in_30_s) {
	const auto stored = [](std::int64_t version, Duration ago) { return std::optional(Ack{version, noon - ago}); };
	BOOST_TEST(ack_is_news({}, 7, noon));
	BOOST_TEST(!ack_is_news(stored(7, 0s), 7, noon));
	BOOST_TEST(!ack_is_news(stored(7, 30s - instant), 7, noon));
	BOOST_TEST(ack_is_news(stored(7, 30s), 7, noon));
	BOOST_TEST(ack_is_news(stored(6, 1s), 7, noon));
	BOOST_TEST(ack_is_news(stored(8, 1s), 7, noon));
	BOOST_TEST(ack_is_news(stored(7, -1min), 7, noon));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
