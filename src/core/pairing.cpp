#include "core/pairing.hpp"

#include "core/histogram.hpp"
#include "core/varint.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace chat_v11 {

namespace {

constexpr std::uint8_t format_version = 1;

enum Flag : std::uint8_t {
	has_ack = 1,
	has_actor = 2,
	ack_v11 = 4,
	has_receipt = 8,
	has_value = 16,
	receipt_v11 = 32,
	is_new_key = 64,
};

Uuid
get_uuid(ByteReader &in) {
	Uuid uuid;
	const auto bytes = in.raw(uuid.size());
	std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char *>(uuid.data()));
	return uuid;
}

// Nothing comes after something.
template <typename T>
std::strong_ordering
compare_nulls_last(const std::optional<T> &a, const std::optional<T> &b) {
	if (a.has_value() != b.has_value())
		return a ? std::strong_ordering::less : std::strong_ordering::greater;
	if (!a || *a == *b)
		return std::strong_ordering::equal;
	return *a < *b ? std::strong_ordering::less : std::strong_ordering::greater;
}

} // namespace

bool
Ack::before(const Ack &other) const {
	if (at != other.at)
		return at < other.at;
	if (cohort != other.cohort)
		return cohort < other.cohort;
	return compare_nulls_last(actor, other.actor) < 0;
}

bool
Receipt::before(const Receipt &other) const {
	if (at != other.at)
		return at < other.at;
	if (const auto order = compare_nulls_last(value, other.value); order != 0)
		return order < 0;
	return cohort < other.cohort;
}

void
WriteState::add(const Ack &other) {
	if (!ack || other.before(*ack))
		ack = other;
}

void
WriteState::add(const Receipt &other) {
	if (!receipt || other.before(*receipt))
		receipt = other;
}

void
WriteState::add(const WriteState &other) {
	if (other.ack)
		add(*other.ack);
	if (other.receipt)
		add(*other.receipt);
}

double
WriteState::duration_ms() const {
	if (receipt->value)
		return *receipt->value;
	return std::max(0.0, std::chrono::duration<double, std::milli>(receipt->at - ack->at).count());
}

Time
WriteState::newest() const {
	if (!ack)
		return receipt->at;
	return receipt ? std::max(ack->at, receipt->at) : ack->at;
}

bool
bin_exceeds(int bin, double limit_ms) {
	return Histogram::upper(bin) > limit_ms;
}

bool
exceeds(double duration_ms, double limit_ms) {
	return bin_exceeds(Histogram::bin_of(duration_ms), limit_ms);
}

void
count_write(WriteSums &sums, const WriteState &write, double slow_limit, std::int64_t n) {
	if (!write.ack) {
		const auto second = event_second(write.receipt->at);
		sums[{minute_of(second), write.receipt->cohort}].add(second_of_minute(second), field::orphans, n);
		return;
	}
	const auto second = write_second(write.ack->at);
	auto &cells = sums[{minute_of(second), write.ack->cohort}];
	const auto within = second_of_minute(second);
	cells.add(within, field::count, n);
	if (!write.receipt) {
		const auto tenth =
			(write.ack->at.time_since_epoch() - std::chrono::seconds(second)) / std::chrono::milliseconds(100);
		cells.add(within, field::open + static_cast<std::uint32_t>(tenth), n);
		return;
	}
	const auto duration = write.duration_ms();
	cells.add(within, field::answered, n);
	cells.add(within, field::first_bin + static_cast<std::uint32_t>(Histogram::bin_of(duration)), n);
	if (write.in_time())
		cells.add(within, field::in_time, n);
	if (exceeds(duration, slow_limit))
		cells.add(within, field::slow, n);
}

std::string
encode(const std::vector<PendingWrite> &writes) {
	ByteWriter out;
	out.byte(format_version);
	std::int64_t last = 0;
	// Modulo 2^64, as it is read.
	const auto put_time = [&](Time at) {
		const auto count = at.time_since_epoch().count();
		out.signed_varint(
			static_cast<std::int64_t>(static_cast<std::uint64_t>(count) - static_cast<std::uint64_t>(last)));
		last = count;
	};
	for (const auto &write : writes) {
		const auto &[ack, receipt] = write.state;
		std::uint8_t flags = write.is_new ? is_new_key : 0;
		if (ack)
			flags |= has_ack | (ack->actor ? has_actor : 0) | (ack->cohort == Cohort::v11 ? ack_v11 : 0);
		if (receipt)
			flags |=
				has_receipt | (receipt->value ? has_value : 0) | (receipt->cohort == Cohort::v11 ? receipt_v11 : 0);
		out.byte(flags);
		out.raw(write.key.data(), write.key.size());
		if (ack) {
			put_time(ack->at);
			if (ack->actor)
				out.raw(ack->actor->data(), ack->actor->size());
		}
		if (receipt) {
			put_time(receipt->at);
			if (receipt->value) {
				const auto bits = std::bit_cast<std::uint64_t>(*receipt->value);
				out.raw(&bits, sizeof bits);
			}
		}
	}
	return out.take();
}

std::vector<PendingWrite>
decode_pending(std::string_view bytes) {
	ByteReader in(bytes);
	if (in.byte() != format_version)
		throw CorruptBytes("pending writes are of a version that is not known here");
	std::vector<PendingWrite> writes;
	std::int64_t last = 0;
	const auto get_time = [&] {
		last = static_cast<std::int64_t>(static_cast<std::uint64_t>(last) +
										 static_cast<std::uint64_t>(in.signed_varint()));
		return Time(Duration(last));
	};
	while (!in.done()) {
		const auto flags = in.byte();
		auto &write = writes.emplace_back();
		write.is_new = flags & is_new_key;
		write.key = get_uuid(in);
		if (flags & has_ack) {
			auto &ack = write.state.ack.emplace();
			ack.at = get_time();
			ack.cohort = flags & ack_v11 ? Cohort::v11 : Cohort::v10;
			if (flags & has_actor)
				ack.actor = get_uuid(in);
		}
		if (flags & has_receipt) {
			auto &receipt = write.state.receipt.emplace();
			receipt.at = get_time();
			receipt.cohort = flags & receipt_v11 ? Cohort::v11 : Cohort::v10;
			if (flags & has_value) {
				std::uint64_t bits = 0;
				const auto raw = in.raw(sizeof bits);
				std::copy(raw.begin(), raw.end(), reinterpret_cast<char *>(&bits));
				receipt.value = std::bit_cast<double>(bits);
			}
		}
		if (!(flags & (has_ack | has_receipt)))
			throw CorruptBytes("a pending write is empty");
	}
	return writes;
}

} // namespace chat_v11
