// The rollout in one page, for the next person on call.

#include "core/handover.hpp"
#include "pg/gate_log.hpp"
#include "pg/rollout.hpp"

namespace chat_v11 {

CHAT_V11_ENTRY(chat_v11_handover) {
	constexpr std::int64_t shown = 3;
	const auto state = pg::with_spi([](pg::Spi &spi) { return pg::load_state(spi).state; });
	auto evaluation = pg::evaluate_gates(state);
	Handover handover{std::move(evaluation.input), std::move(evaluation.answer), {}, {}};
	pg::with_spi([&](pg::Spi &spi) {
		handover.snapshots = pg::newest_snapshots(spi, handover.input.mock_clock, handover.input.now, shown);
		handover.guard = pg::read_guard_health(spi, handover.input.mock_clock, handover.input.now);
	});
	return pg::text_datum(handover_text(handover));
}

} // namespace chat_v11
