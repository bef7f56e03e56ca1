#pragma once

// The state of a stage in stored form, so that who looks for the first time need not begin with the first bucket: it is
// the same state to the last bit.
//
// Raise archive_version with every change of what a state means, also where its form stays: an older one is then read
// from the buckets.

#include "core/analysis_stage.hpp"

namespace chat_v11::analysis {

inline constexpr std::uint8_t archive_version = 8;

// `chain`: of the bucket that it was stored with.
std::string encode(const StageAnalysis::State &state, std::uint64_t chain);
// Nothing for one of another version, of another bucket, or that was damaged or changed by hand: the buckets tell.
// Throws CorruptBytes where it has other parts than a state has.
std::optional<StageAnalysis::State> decode_state(std::string_view bytes, std::uint64_t chain);

} // namespace chat_v11::analysis
