#include "core/fold_cursor.hpp"

#include "core/varint.hpp"

#include <algorithm>

namespace chat_v11 {

namespace {

constexpr std::uint8_t format_version = 1;

void
put(ByteWriter &out, const std::vector<std::uint64_t> &ascending) {
	out.varint(ascending.size());
	std::uint64_t last = 0;
	for (const auto value : ascending) {
		out.varint(value - last);
		last = value;
	}
}

std::vector<std::uint64_t>
get_ascending(ByteReader &in) {
	std::vector<std::uint64_t> values;
	std::uint64_t last = 0;
	for (auto left = in.varint(); left > 0; --left)
		values.push_back(last += in.varint());
	return values;
}

void
put(ByteWriter &out, const TransactionSnapshot &snapshot) {
	out.varint(snapshot.xmin);
	out.varint(snapshot.xmax);
	put(out, snapshot.in_progress);
}

TransactionSnapshot
get_snapshot(ByteReader &in) {
	TransactionSnapshot snapshot;
	snapshot.xmin = in.varint();
	snapshot.xmax = in.varint();
	snapshot.in_progress = get_ascending(in);
	return snapshot;
}

} // namespace

bool
TransactionSnapshot::had_ended(std::uint64_t xid) const {
	if (xid < xmin)
		return true;
	return xid < xmax && !std::binary_search(in_progress.begin(), in_progress.end(), xid);
}

std::uint64_t
widen_xid(std::uint32_t xid, std::uint64_t next) {
	constexpr std::uint32_t first_normal = 3;
	if (xid < first_normal)
		return 0;
	// How far behind `next`, modulo 2^32.  Transactions that began since `next` was read are a little ahead of it.
	constexpr std::uint32_t ahead = 1u << 24;
	const auto behind = static_cast<std::uint32_t>(next) + ahead - xid;
	const auto wide = next + ahead - behind;
	return wide;
}

void
LeafPosition::hold(std::uint32_t page, std::vector<std::uint64_t> xids) {
	if (!holds.empty() && holds.back().start + holds.back().count == page && holds.back().xids == xids)
		++holds.back().count;
	else
		holds.push_back({page, 1, std::move(xids)});
}

std::string
encode(const FoldCursor &cursor) {
	ByteWriter out;
	out.byte(format_version);
	put(out, cursor.done);
	out.byte(cursor.open.has_value());
	if (cursor.open) {
		put(out, cursor.open->snapshot);
		out.varint(cursor.open->leaf);
		out.varint(cursor.open->page);
	}
	out.varint(cursor.leaves.size());
	for (const auto &leaf : cursor.leaves) {
		out.varint(leaf.file);
		out.varint(leaf.low);
		out.varint(static_cast<std::uint64_t>(leaf.rows));
		out.signed_varint(leaf.last_seen.time_since_epoch().count());
		out.varint(leaf.holds.size());
		std::uint32_t last = 0;
		for (const auto &hold : leaf.holds) {
			out.varint(hold.start - last);
			out.varint(hold.count);
			put(out, hold.xids);
			last = hold.start;
		}
	}
	return out.take();
}

FoldCursor
decode_cursor(std::string_view bytes) {
	ByteReader in(bytes);
	if (in.byte() != format_version)
		throw CorruptBytes("the fold's cursor is of a version that is not known here");
	FoldCursor cursor;
	cursor.done = get_snapshot(in);
	if (in.byte()) {
		cursor.open.emplace();
		cursor.open->snapshot = get_snapshot(in);
		cursor.open->leaf = static_cast<std::uint32_t>(in.varint());
		cursor.open->page = static_cast<std::uint32_t>(in.varint());
	}
	for (auto left = in.varint(); left > 0; --left) {
		LeafPosition leaf;
		leaf.file = static_cast<std::uint32_t>(in.varint());
		leaf.low = static_cast<std::uint32_t>(in.varint());
		leaf.rows = static_cast<std::int64_t>(in.varint());
		leaf.last_seen = Time(Duration(in.signed_varint()));
		std::uint32_t last = 0;
		for (auto holds = in.varint(); holds > 0; --holds) {
			Hold hold;
			hold.start = last += static_cast<std::uint32_t>(in.varint());
			hold.count = static_cast<std::uint32_t>(in.varint());
			hold.xids = get_ascending(in);
			leaf.holds.push_back(std::move(hold));
		}
		cursor.leaves.push_back(std::move(leaf));
	}
	if (!in.done())
		throw CorruptBytes("the fold's cursor has bytes too many");
	return cursor;
}

} // namespace chat_v11
