#pragma once

// The four stages, in their order.  There is no fifth.

#include <array>
#include <optional>
#include <string_view>

namespace chat_v11 {

enum class Stage { canary_1, canary_10, canary_50, full };

inline constexpr std::array all_stages = {Stage::canary_1, Stage::canary_10, Stage::canary_50, Stage::full};

constexpr std::string_view
name(Stage stage) {
	constexpr std::string_view names[] = {"canary_1", "canary_10", "canary_50", "full"};
	return names[static_cast<size_t>(stage)];
}

// Exact, lower case; nothing for any other text.
constexpr std::optional<Stage>
parse_stage(std::string_view text) {
	for (const auto stage : all_stages)
		if (name(stage) == text)
			return stage;
	return std::nullopt;
}

// Of all users.
constexpr unsigned
percent_of(Stage stage) {
	constexpr unsigned percents[] = {1, 10, 50, 100};
	return percents[static_cast<size_t>(stage)];
}

constexpr std::optional<Stage>
next(Stage stage) {
	if (stage == Stage::full)
		return std::nullopt;
	return static_cast<Stage>(static_cast<int>(stage) + 1);
}

} // namespace chat_v11
