#pragma once

// What the tests of the telemetry engine share: keys, packed forms under attack, and random traffic.

#include "core/event_sums.hpp"
#include "core/varint.hpp"

#include "histogram_fixture.hpp"

#include <memory>

namespace chat_v11::test {

inline Uuid
uuid(std::uint8_t n) {
	Uuid id{};
	id.back() = n;
	return id;
}

inline std::int64_t
second_at(Time at) {
	return std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
}

using CellList = std::vector<std::array<std::int64_t, 3>>; // second, field, count

inline CellList
listed(Cells cells) {
	CellList list;
	for (const auto &cell : cells.all())
		list.push_back({cell.second(), cell.field(), cell.count});
	return list;
}

// What was seen of writes since the last call.
inline std::vector<PendingWrite>
writes_of(EventSums &sums) {
	std::vector<PendingWrite> writes;
	sums.take_writes([&](const Uuid &key, const WriteState &state) { writes.push_back({key, state, false}); });
	return writes;
}

// Memory of exactly that size, so that the sanitizer sees a read past its end.
template <typename Decode>
auto
decode_copy(const std::string &bytes, Decode &&decode) {
	const std::unique_ptr<char[]> copy(new char[bytes.size()]);
	std::copy(bytes.begin(), bytes.end(), copy.get());
	return decode(std::string_view(copy.get(), bytes.size()));
}

// Every prefix of the bytes, and every byte with every other value: what comes of it is refused as corrupt, or is a
// value that can be stored and read again as what it is.  Anything else that is thrown fails the test.
template <typename Decode, typename Encode>
void
attack(const std::string &bytes, Decode &&decode, Encode &&encode) {
	size_t accepted = 0;
	size_t refused = 0;
	const auto look = [&](const std::string &damaged) {
		try {
			auto value = decode_copy(damaged, decode);
			const std::string stored = encode(value);
			auto again = decode_copy(stored, decode);
			if (encode(again) != stored)
				BOOST_ERROR("what was read is not what is stored again");
			++accepted;
		} catch (const CorruptBytes &) {
			++refused;
		}
	};
	for (size_t size = 0; size < bytes.size(); ++size)
		look(bytes.substr(0, size));
	for (size_t at = 0; at < bytes.size(); ++at)
		for (int flip = 1; flip < 256; ++flip) {
			auto damaged = bytes;
			damaged[at] = static_cast<char>(damaged[at] ^ flip);
			look(damaged);
		}
	// Where nothing was accepted, or nothing refused, nothing was tested.
	BOOST_TEST(accepted > 0u);
	BOOST_TEST(refused > 0u);
}

} // namespace chat_v11::test
