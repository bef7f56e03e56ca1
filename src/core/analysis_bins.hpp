#pragma once

// Many histograms added up, as the analysis does some 50,000 times a day of buckets: plain counts by bin, where adding
// one is a short loop.

#include "core/histogram.hpp"

namespace chat_v11::analysis {

class BinSums {
public:
	// How many of the values that came in lie in bins above this one.
	std::int64_t
	add(const Histogram &histogram, int bin_below = Histogram::bin_count) {
		if (histogram.empty())
			return 0;
		counts_.resize(Histogram::bin_count);
		std::int64_t *const counts = counts_.data();
		std::int64_t above = 0;
		histogram.for_each([&, counts](int bin, std::int64_t n) {
			counts[bin] += n;
			above += bin > bin_below ? n : 0;
		});
		total_ += histogram.count();
		return above;
	}
	void
	add(const BinSums &other) {
		if (other.total_ == 0)
			return;
		counts_.resize(Histogram::bin_count);
		for (std::size_t bin = 0; bin < counts_.size(); ++bin)
			counts_[bin] += other.counts_[bin];
		total_ += other.total_;
	}
	void
	clear() {
		counts_.clear();
		total_ = 0;
	}
	// As a histogram, whose stored form is the short one.
	Histogram
	histogram() const {
		Histogram all;
		for (std::size_t bin = 0; bin < counts_.size(); ++bin)
			all.add_bin(static_cast<int>(bin), counts_[bin]);
		return all;
	}
	std::int64_t
	total() const {
		return total_;
	}
	// The bin in which the values reach a cumulative share of 0.95; nothing without values.
	std::optional<int>
	p95_bin() const {
		if (total_ == 0)
			return std::nullopt;
		const auto rank = Histogram::nearest_rank(0.95, total_);
		std::int64_t reached = 0;
		int bin = 0;
		for (; bin < Histogram::bin_count - 1; ++bin) {
			reached += counts_[static_cast<std::size_t>(bin)];
			if (reached >= rank)
				break;
		}
		return bin;
	}
	friend bool operator==(const BinSums &, const BinSums &) = default;

private:
	std::vector<std::int64_t> counts_; // by bin, or none at all
	std::int64_t total_ = 0;
};

} // namespace chat_v11::analysis
