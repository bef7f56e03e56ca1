#pragma once

// A histogram as the transition state of an aggregate: counts side by side in one block of bytes, which is changed in
// place, so that a value costs one addition.  The block is also a valid value of the SQL type, of version 2 beside the
// stored form's 1, because the aggregate's state type is the type itself.  It never leaves the server in this form:
// the final function, output and send write the stored form.
//
//     0   1 byte     2
//     1   1 byte     0
//     2   uint16     first bin
//     4   uint16     number of bins, 1 or more
//     6   6 bytes    0
//     12  int64      sum of the counts
//     20  int64 []   counts
//
// Numbers are the machine's own.  The length word in front of the block makes offsets 12 and 20 multiples of 8; nothing
// rests on that, because all access is by copy.

#include "core/histogram.hpp"

namespace chat_v11::histogram_state {

inline constexpr size_t header_size = 20;

inline constexpr size_t
size_of(BinRange range) {
	return header_size + sizeof(std::int64_t) * static_cast<size_t>(range.size);
}

// The range that the bytes hold, if they have this form at all; what the counts say is not looked at.
std::optional<BinRange> range_of(std::string_view bytes) noexcept;

// Fills size_of(range) bytes with the counts of a histogram that lies within the range.
void write(char *bytes, BinRange range, const Histogram &histogram);

// The bytes must have passed range_of(), and the range must hold the bin, or all bins of the histogram.
// ERR_INVALID_ARGUMENT for more than 2^63 - 1 values.
void add(char *bytes, BinRange range, int bin);
void add(char *bytes, BinRange range, const Histogram &histogram);

// Of either form, as a state may be any value of the type.  ERR_INVALID_ARGUMENT for bytes that are neither.
Histogram read(std::string_view bytes);

} // namespace chat_v11::histogram_state
