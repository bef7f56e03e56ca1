#pragma once

// Where in the files of events to begin to read for a bucket: notes of how long the files were, and when.

#include "core/time.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chat_v11::analysis {

struct FileLength {
	std::uint32_t file = 0;   // another one is read from its beginning
	std::uint32_t length = 0; // pages
	friend bool operator==(const FileLength &, const FileLength &) = default;
};

struct PageNote {
	Time at{};
	std::vector<FileLength> leaves;
	friend bool operator==(const PageNote &, const PageNote &) = default;
};

inline constexpr std::size_t most_notes = 64;

class PageNotes {
public:
	// The last one that was made at this moment or earlier; null where there is none.
	const PageNote *at(Time moment) const;
	// Notes the present lengths.  Forgets what is older than the one for `needed_from`, and what a clock that was set
	// back has made wrong.
	void add(PageNote note, Time needed_from);
	const std::vector<PageNote> &
	all() const {
		return notes_;
	}

	// Stored form; decode throws CorruptBytes.
	std::string encode() const;
	static PageNotes decode(std::string_view bytes);

private:
	std::vector<PageNote> notes_; // by time
};

} // namespace chat_v11::analysis
