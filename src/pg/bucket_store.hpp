#pragma once

// The buckets: chat_v11.metric_bucket by minute, cohort and kind, chat_v11.write_bucket by minute and cohort.

#include "core/windows.hpp"
#include "pg/spi.hpp"

#include <functional>

namespace chat_v11::pg {

// Adds to the stored buckets; for who holds the fold's lock.
void add_to_buckets(Spi &spi, const EventSums &sums);
void add_to_buckets(Spi &spi, WriteSums &sums, double slow_limit);

// Reads the stored buckets whose minute lies in [first, last].
using EventBucketVisitor = std::function<void(std::int64_t minute, Cohort, Kind, Time newest, Cells &cells,
											  const std::vector<ActorAt> &actors)>;
using WriteBucketVisitor = std::function<void(std::int64_t minute, Cohort, double slow_limit, Cells &cells)>;
void each_event_bucket(Spi &spi, std::int64_t first, std::int64_t last, const EventBucketVisitor &f);
void each_write_bucket(Spi &spi, std::int64_t first, std::int64_t last, const WriteBucketVisitor &f);

// What percentiles are taken of, read apart.  Histograms are those of whole minutes, summed.
Histogram sum_write_histograms(Spi &spi, std::int64_t first, std::int64_t last, Cohort cohort);
Cells write_detail(Spi &spi, std::int64_t minute, Cohort cohort);
void each_value_detail(Spi &spi, std::int64_t first, std::int64_t last, Kind kind, const EventBucketVisitor &f);

// Since a stage was entered: ACKs of both cohorts after second `since` began, writes of v11 first acknowledged from
// then on.
struct SinceEntry {
	std::array<std::int64_t, cohort_count> acks{};
	std::int64_t writes = 0;

	// Adds what the cells have from `since` on; of a past moment's frame, as far as that goes.
	void add_events(Cohort cohort, Kind kind, std::int64_t minute, Cells &cells, std::int64_t since,
					const SliceFrame *until = nullptr);
	void add_writes(Cohort cohort, std::int64_t minute, Cells &cells, std::int64_t since,
					const SliceFrame *until = nullptr);
};
SinceEntry count_since(Spi &spi, std::int64_t since);
SinceEntry count_between(Spi &spi, std::int64_t since, const SliceFrame &until);

} // namespace chat_v11::pg
