#pragma once

// What a fuzz target gives to the driver in main.cpp, beside libFuzzer's own entry point.

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);

namespace chat_v11::fuzz {

// A well-formed input, from which mutations start; random bytes alone hardly pass the first check.
std::string seed(std::mt19937_64 &random);

// What became of the inputs, by what they are.  Where nothing was accepted, or nothing refused, nothing was tested.
struct Tally {
	const char *what;
	std::size_t accepted = 0;
	std::size_t refused = 0;
};
extern const std::span<Tally> tallies;

} // namespace chat_v11::fuzz
