#include "core/analysis_units.hpp"

#include "core/varint.hpp"

#include <algorithm>

namespace chat_v11::analysis {

namespace {

constexpr char version = 2;
constexpr std::uint64_t slice_salt = 0x51;

// The finaliser of splitmix64, by Sebastiano Vigna: each bit of the input changes each of the output half of the time.
std::uint64_t
mix(std::uint64_t x) {
	x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
	x = (x ^ x >> 27) * 0x94D049BB133111EBu;
	return x ^ x >> 31;
}

// Little-endian whatever the machine: a dump may be restored on another one.
std::uint64_t
load(const std::uint8_t *bytes) {
	std::uint64_t value = 0;
	for (int i = 0; i < 8; ++i)
		value |= static_cast<std::uint64_t>(bytes[i]) << 8 * i;
	return value;
}

void
put(ByteWriter &out, const std::vector<std::uint64_t> &hashes) {
	out.varint(hashes.size());
	for (const auto hash : hashes)
		out.fixed64(hash);
}

std::vector<std::uint64_t>
get(ByteReader &in) {
	const auto count = in.varint();
	if (count > std::uint64_t{1} << 32)
		throw CorruptBytes("more units than there can be");
	const auto bytes = in.raw(static_cast<std::size_t>(count) * 8);
	std::vector<std::uint64_t> hashes(static_cast<std::size_t>(count));
	for (std::size_t i = 0; i < hashes.size(); ++i)
		hashes[i] = load(reinterpret_cast<const std::uint8_t *>(bytes.data()) + 8 * i);
	return hashes;
}

} // namespace

std::uint64_t
unit_hash(const Uuid &unit, std::uint64_t salt) {
	const auto hash = mix(mix(load(unit.data()) + (salt + 1) * 0x9E3779B97F4A7C15u) ^ load(unit.data() + 8));
	return hash ? hash : 1;
}

std::uint8_t
slice_of(const Uuid &unit) {
	return static_cast<std::uint8_t>(unit_hash(unit, slice_salt) >> 58);
}

std::size_t
HashSet::place_of(std::uint64_t hash) const {
	const auto mask = slots_.size() - 1;
	auto place = static_cast<std::size_t>(hash) & mask;
	while (slots_[place] != 0 && slots_[place] != hash)
		place = (place + 1) & mask;
	return place;
}

bool
HashSet::contains(std::uint64_t hash) const {
	return !slots_.empty() && slots_[place_of(hash)] != 0;
}

bool
HashSet::insert(std::uint64_t hash) {
	if (2 * (size_ + 1) > slots_.size()) {
		auto old = std::move(slots_);
		slots_.assign(std::max<std::size_t>(64, old.size() * 2), 0);
		for (const auto each : old)
			if (each != 0)
				slots_[place_of(each)] = each;
	}
	auto &slot = slots_[place_of(hash)];
	if (slot != 0)
		return false;
	slot = hash;
	++size_;
	return true;
}

bool
NewUnits::empty() const {
	const auto is_empty = [](const std::vector<std::uint64_t> &list) { return list.empty(); };
	return actors.empty() && std::all_of(bad.begin(), bad.end(), is_empty) &&
		   std::all_of(recent.begin(), recent.end(), is_empty) &&
		   std::all_of(recent_control.begin(), recent_control.end(), is_empty);
}

std::string
encode(const NewUnits &units) {
	ByteWriter out;
	out.byte(version);
	for (const auto &list : units.bad)
		put(out, list);
	for (const auto &list : units.recent)
		put(out, list);
	for (const auto &list : units.recent_control)
		put(out, list);
	put(out, units.actors);
	return out.take();
}

NewUnits
decode_units(std::string_view bytes) {
	ByteReader in(bytes);
	if (in.byte() != version)
		throw CorruptBytes("units of an unknown version");
	NewUnits units;
	for (auto &list : units.bad)
		list = get(in);
	for (auto &list : units.recent)
		list = get(in);
	for (auto &list : units.recent_control)
		list = get(in);
	units.actors = get(in);
	if (!in.done())
		throw CorruptBytes("units with bytes behind them");
	return units;
}

void
UnitMemory::forget_before(Time bucket_begin) {
	while (!recent_.empty() && recent_.front().at <= bucket_begin - bucket_length * mark_buckets)
		recent_.pop_front();
}

void
UnitMemory::add(Time bucket_begin, const NewUnits &units) {
	for (std::size_t i = 0; i < comparison_count; ++i)
		for (const auto hash : units.bad[i])
			bad_[i].insert(hash);
	for (const auto hash : units.actors)
		actors_.insert(hash);
	recent_.push_back({bucket_begin, units});
	recent_.back().units.actors = {};
	forget_before(bucket_begin);
}

void
UnitMemory::open(Time bucket_begin) {
	added_ = {};
	recent_.push_back({bucket_begin, {}});
	forget_before(bucket_begin);
}

bool
UnitMemory::is_known(Comparison comparison, std::uint64_t hash) const {
	return bad_[static_cast<std::size_t>(comparison)].contains(hash);
}

UnitMemory::Seen
UnitMemory::bad_unit(Comparison comparison, std::uint64_t hash, std::size_t limit) {
	auto &known = bad_[static_cast<std::size_t>(comparison)];
	if (known.contains(hash))
		return Seen::again;
	if (known.size() >= limit)
		return Seen::no_room;
	known.insert(hash);
	for (auto *units : {&added_, &recent_.back().units})
		units->bad[static_cast<std::size_t>(comparison)].push_back(hash);
	return Seen::first;
}

void
UnitMemory::recent_unit(Comparison comparison, Cohort cohort, std::uint64_t hash) {
	const auto lists = cohort == Cohort::v11 ? &NewUnits::recent : &NewUnits::recent_control;
	auto &list = (recent_.back().units.*lists)[static_cast<std::size_t>(comparison)];
	if (list.size() >= most_recent_units || std::find(list.begin(), list.end(), hash) != list.end())
		return;
	list.push_back(hash);
	(added_.*lists)[static_cast<std::size_t>(comparison)].push_back(hash);
}

bool
UnitMemory::first_seen(std::uint64_t hash) {
	if (actors_.size() >= most_actors || !actors_.insert(hash))
		return false;
	added_.actors.push_back(hash);
	return true;
}

HashSet
UnitMemory::distinct(Lists NewUnits::*lists, Comparison comparison) const {
	HashSet set;
	for (const auto &bucket : recent_)
		for (const auto hash : (bucket.units.*lists)[static_cast<std::size_t>(comparison)])
			set.insert(hash);
	return set;
}

double
UnitMemory::recent_units(Comparison comparison) const {
	return static_cast<double>(distinct(&NewUnits::recent, comparison).size());
}

Repeats
UnitMemory::repeats(Comparison comparison) const {
	const auto index = static_cast<std::size_t>(comparison);
	const auto canary = distinct(&NewUnits::recent, comparison);
	const auto control = distinct(&NewUnits::recent_control, comparison);
	// Of those that were first bad in these 300 s, who may be very many, only these are of interest.
	HashSet fresh;
	for (const auto &bucket : recent_)
		for (const auto hash : bucket.units.bad[index])
			if (canary.contains(hash) || control.contains(hash))
				fresh.insert(hash);
	const auto before = [&](Lists NewUnits::*lists) {
		HashSet set;
		for (const auto &bucket : recent_)
			for (const auto hash : (bucket.units.*lists)[index])
				if (bad_[index].contains(hash) && !fresh.contains(hash))
					set.insert(hash);
		return static_cast<double>(set.size());
	};
	return {static_cast<double>(canary.size()), before(&NewUnits::recent), static_cast<double>(control.size()),
			before(&NewUnits::recent_control)};
}

std::size_t
UnitMemory::bytes() const {
	auto bytes = actors_.bytes();
	for (const auto &set : bad_)
		bytes += set.bytes();
	return bytes;
}

} // namespace chat_v11::analysis
