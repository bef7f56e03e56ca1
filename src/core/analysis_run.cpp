#include "core/analysis_run.hpp"

#include <algorithm>

namespace chat_v11::analysis {

Time
bucket_of(Time at) {
	const auto past = at.time_since_epoch() % bucket_length;
	return at - past - (past < Duration::zero() ? bucket_length : Duration::zero());
}

std::optional<Run>
run_of(std::span<const StageChange> changes) {
	const StageChange *first = nullptr;
	for (const auto &change : changes) {
		if (change.killed)
			continue;
		const bool resumed = first && (&change)[-1].killed;
		if (!first || (resumed && change.stage == Stage::canary_1 && change.new_build > first->id))
			first = &change;
	}
	if (!first)
		return std::nullopt;
	return Run{first->id,
			   first->stage,
			   first->at,
			   evidence_begin(first->at),
			   {changes.begin() + (first - changes.data()), changes.end()}};
}

bool
Run::killed_around(Time bucket_begin) const {
	for (std::size_t i = 0; i < changes.size(); ++i) {
		const bool ends = i + 1 < changes.size();
		if (changes[i].killed && changes[i].at < bucket_begin + bucket_length &&
			(!ends || changes[i + 1].at > bucket_begin - evidence_delay))
			return true;
	}
	return false;
}

bool
Run::counts(Time bucket_begin) const {
	return bucket_begin >= evidence_from && !killed_around(bucket_begin);
}

} // namespace chat_v11::analysis
