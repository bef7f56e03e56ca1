#include "core/cells.hpp"

#include "core/varint.hpp"

#include <algorithm>
#include <stdexcept>

namespace chat_v11 {

namespace {
constexpr std::uint8_t format_version = 1;
constexpr std::uint32_t end_of_minute = 60 * Cells::fields;
} // namespace

void
Cells::add(const Cells &other) {
	cells_.insert(cells_.end(), other.cells_.begin(), other.cells_.end());
	sorted_ = false;
}

const std::vector<Cells::Cell> &
Cells::all() {
	if (sorted_)
		return cells_;
	std::sort(cells_.begin(), cells_.end(), [](const Cell &a, const Cell &b) { return a.key < b.key; });
	size_t kept = 0;
	for (size_t i = 0; i < cells_.size();) {
		Cell sum = cells_[i];
		for (++i; i < cells_.size() && cells_[i].key == sum.key; ++i)
			sum.count += cells_[i].count;
		if (sum.count != 0)
			cells_[kept++] = sum;
	}
	cells_.resize(kept);
	sorted_ = true;
	return cells_;
}

void
Cells::drop_negative() {
	(void)all();
	std::erase_if(cells_, [](const Cell &cell) { return cell.count < 0; });
}

std::string
Cells::encode() {
	ByteWriter out;
	out.byte(format_version);
	std::uint32_t last = 0;
	for (const auto &cell : all()) {
		if (cell.count < 0)
			throw std::logic_error("a bucket's count would fall below zero");
		out.varint(cell.key - last);
		out.varint(static_cast<std::uint64_t>(cell.count));
		last = cell.key;
	}
	return out.take();
}

Cells
Cells::decode(std::string_view bytes) {
	Cells cells;
	if (bytes.empty())
		return cells;
	ByteReader in(bytes);
	if (in.byte() != format_version)
		throw CorruptBytes("a bucket's cells are of a version that is not known here");
	std::uint64_t key = 0;
	for (bool first = true; !in.done(); first = false) {
		const auto step = in.varint();
		// The step alone too: a large one would wrap, and lead back.
		if ((step == 0 && !first) || step >= end_of_minute || (key += step) >= end_of_minute)
			throw CorruptBytes("a bucket's cells are out of order");
		const auto count = in.varint();
		if (count == 0 || count > static_cast<std::uint64_t>(INT64_MAX))
			throw CorruptBytes("a bucket's cell has no count");
		cells.cells_.push_back({static_cast<std::uint32_t>(key), static_cast<std::int64_t>(count)});
	}
	return cells;
}

std::pair<Cells, Cells>
Cells::split() {
	std::pair<Cells, Cells> parts;
	for (const auto &cell : all()) {
		auto &part = cell.field() < field::first_bin ? parts.first : parts.second;
		part.cells_.push_back(cell);
	}
	return parts;
}

} // namespace chat_v11
