#include "core/analysis_notes.hpp"

#include "core/varint.hpp"

#include <algorithm>

namespace chat_v11::analysis {

namespace {

constexpr std::uint8_t version = 1;

} // namespace

const PageNote *
PageNotes::at(Time moment) const {
	const auto after =
		std::find_if(notes_.begin(), notes_.end(), [&](const PageNote &note) { return note.at > moment; });
	return after == notes_.begin() ? nullptr : &*(after - 1);
}

void
PageNotes::add(PageNote note, Time needed_from) {
	std::erase_if(notes_, [&](const PageNote &other) { return other.at >= note.at; });
	notes_.push_back(std::move(note));
	if (const auto *needed = at(needed_from))
		notes_.erase(notes_.begin(), notes_.begin() + (needed - notes_.data()));
	// Every second one goes: the rest still says where to begin, a little too early.
	if (notes_.size() > most_notes)
		for (std::size_t i = 1; i + 1 < notes_.size(); ++i)
			notes_.erase(notes_.begin() + static_cast<std::ptrdiff_t>(i));
}

std::string
PageNotes::encode() const {
	ByteWriter out;
	out.byte(version);
	out.varint(notes_.size());
	for (const auto &note : notes_) {
		out.signed_varint(note.at.time_since_epoch().count());
		out.varint(note.leaves.size());
		for (const auto &leaf : note.leaves) {
			out.varint(leaf.file);
			out.varint(leaf.length);
		}
	}
	return out.take();
}

PageNotes
PageNotes::decode(std::string_view bytes) {
	ByteReader in(bytes);
	if (in.byte() != version)
		throw CorruptBytes("notes of pages of an unknown version");
	PageNotes notes;
	const auto count = in.varint();
	for (std::uint64_t i = 0; i < count; ++i) {
		PageNote note;
		note.at = Time(Duration(in.signed_varint()));
		const auto leaves = in.varint();
		for (std::uint64_t j = 0; j < leaves; ++j) {
			FileLength leaf;
			leaf.file = static_cast<std::uint32_t>(in.varint());
			leaf.length = static_cast<std::uint32_t>(in.varint());
			note.leaves.push_back(leaf);
		}
		notes.notes_.push_back(std::move(note));
	}
	if (!in.done())
		throw CorruptBytes("notes of pages with bytes behind them");
	return notes;
}

} // namespace chat_v11::analysis
