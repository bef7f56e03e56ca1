#include "core/cohort.hpp"

#include <cmath>

namespace chat_v11 {

void
ShareCount::add(std::string_view id) {
	if (id.empty())
		return;
	++ids_;
	for (size_t i = 0; i < all_stages.size(); ++i)
		in_[i] += in_cohort(bucketing_, percent_of(all_stages[i]), id);
}

ShareCount::Share
ShareCount::at(Stage stage) const {
	Share share;
	share.ids = ids_;
	share.in_cohort = in_[static_cast<size_t>(stage)];
	share.target = percent_of(stage) / 100.0;
	if (ids_ == 0)
		return share;
	const auto n = static_cast<double>(ids_);
	share.measured = static_cast<double>(share.in_cohort) / n;
	if (share.target < 1)
		share.standard_errors = (*share.measured - share.target) / std::sqrt(share.target * (1 - share.target) / n);
	return share;
}

std::string
targeting_key(std::string_view id) {
	static constexpr char digits[] = "0123456789ABCDEF";
	std::string key;
	key.reserve(id.size());
	for (const char each : id) {
		const auto byte = static_cast<unsigned char>(each);
		if (byte < 0x80) {
			key += each;
		} else {
			key += '%';
			key += digits[byte >> 4];
			key += digits[byte & 15];
		}
	}
	return key;
}

} // namespace chat_v11
