// Runs a fuzz target without libFuzzer, which g++ does not have: the same inputs on every machine, well-formed ones
// with a few mutations.  main INPUTS [SEED]; or main FILE... to run single inputs again.  With clang, leave this file
// out and link the target with -fsanitize=fuzzer.

#include "target.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string_view>

namespace {

using namespace chat_v11;

void
run(const std::string &input) {
	// Memory of exactly that size, so that the sanitizer sees a read past its end.
	const std::unique_ptr<std::uint8_t[]> copy(new std::uint8_t[input.size()]);
	std::memcpy(copy.get(), input.data(), input.size());
	LLVMFuzzerTestOneInput(copy.get(), input.size());
}

class Mutator {
public:
	explicit Mutator(std::uint64_t seed) : random_(seed) {}

	std::string
	next() {
		auto input = fuzz::seed(random_);
		for (auto n = random_() % 4; n > 0; --n)
			mutate(input);
		return input;
	}

private:
	size_t
	below(size_t n) {
		return static_cast<size_t>(random_() % std::max<size_t>(n, 1));
	}

	void
	mutate(std::string &input) {
		const auto at = below(input.size() + 1);
		const auto byte = static_cast<char>(random_());
		switch (random_() % 8) {
		case 0: // one bit
			if (at < input.size())
				input[at] = static_cast<char>(input[at] ^ 1 << random_() % 8);
			break;
		case 1:
			if (at < input.size())
				input[at] = byte;
			break;
		case 2: input.insert(at, 1 + below(4), byte); break;
		case 3: input.erase(at, 1 + below(4)); break;
		case 4: input.resize(at); break;
		case 5: input.append(1 + below(16), byte); break;
		case 6: { // a part of another one
			const auto other = fuzz::seed(random_);
			const auto from = below(other.size());
			input.replace(at, below(32), other, from, below(32));
			break;
		}
		case 7: // extremes are where sums overflow
			for (auto i = at; i < std::min(input.size(), at + 8); ++i)
				input[i] = byte % 2 ? '\xff' : '\0';
			break;
		}
	}

	std::mt19937_64 random_;
};

std::uint64_t
number(std::string_view text) {
	std::uint64_t value = 0;
	const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
	return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

} // namespace

int
main(int argc, char **argv) {
	if (argc < 2) {
		std::fprintf(stderr, "usage: %s INPUTS [SEED] | FILE...\n", argv[0]);
		return 2;
	}
	const auto inputs = number(argv[1]);
	if (inputs == 0) {
		for (int i = 1; i < argc; ++i) {
			std::ifstream file(argv[i], std::ios::binary);
			run({std::istreambuf_iterator<char>(file), {}});
		}
		return 0;
	}
	Mutator mutator(argc > 2 ? number(argv[2]) : 1);
	for (std::uint64_t i = 0; i < inputs; ++i)
		run(mutator.next());
	bool all = true;
	for (const auto &[what, accepted, refused] : fuzz::tallies) {
		const bool ok = accepted > 0 && refused > 0;
		std::printf("%s %s: %zu inputs accepted, %zu refused\n", ok ? "ok" : "FAILED", what, accepted, refused);
		all = all && ok;
	}
	return all ? 0 : 1;
}
