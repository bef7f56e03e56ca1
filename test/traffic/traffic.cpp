// Writes the telemetry of a chat's traffic, for demos, tests and measurements; see README.md.

#include "generator.hpp"

#include <cstdio>
#include <exception>

int
main(int count, char **words) {
	using namespace traffic;
	try {
		const auto options = parse_options(count, words);
		if (options.help) {
			std::fputs(help_text, stdout);
			return 0;
		}
		const Users users(options.seed, options.users, options.share);
		Writer writer(users, stdout);
		Generator(options, users, writer).run();
		return 0;
	} catch (const BadUsage &error) {
		std::fprintf(stderr, "traffic: %s\nTry traffic --help.\n", error.what());
		return 2;
	} catch (const std::exception &error) {
		std::fprintf(stderr, "traffic: %s\n", error.what());
		return 1;
	}
}
