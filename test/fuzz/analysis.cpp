// Stored forms of the canary analysis.  The first byte says which, the rest are its bytes; of a stored state those
// behind the hash, which is made anew, since what is damaged by chance never gets further.  What is read must be
// written as it was read; and a bucket, whatever its counts, gives an answer without anything that is no number.

#include "target.hpp"

#include "core/analysis_archive.hpp"
#include "core/analysis_notes.hpp"
#include "core/analysis_row.hpp"
#include "core/analysis_units.hpp"
#include "core/varint.hpp"

#include <chrono>
#include <cstdlib>

namespace chat_v11::fuzz {

namespace {

using namespace analysis;
using namespace std::chrono_literals;

enum Form : std::uint8_t { row_form, units_form, notes_form, state_form, form_count };
Tally by_form[form_count] = {{"analysis: row"}, {"analysis: units"}, {"analysis: notes"}, {"analysis: state"}};

constexpr Time evidence_from{std::chrono::hours(500'000)};

void
require(bool condition) {
	if (!condition)
		std::abort();
}

std::string
signed_state(std::string_view body) {
	ByteWriter out;
	out.byte(archive_version);
	out.fixed64(chain_of(body, 0));
	return out.take() + std::string(body);
}

void
look_for_no_number(const StageAnswer &answer) {
	const auto whole = [](const std::string &text) {
		require(text.find("nan") == std::string::npos && text.find("inf") == std::string::npos);
	};
	for (const auto &reason : answer.reasons)
		whole(reason);
	for (const auto &check : answer.comparisons) {
		whole(reason_text(answer, check));
		require(std::isfinite(check.ln_fail_now) && std::isfinite(check.ln_fail_max) &&
				std::isfinite(check.ln_pass_now));
	}
}

void
judge(const BucketRow &row) {
	StageAnalysis stage(default_setup(Stage::canary_10, evidence_from - 120s));
	auto bucket = row.bucket;
	for (int i = 0; i < 3; ++i) {
		bucket.begin = evidence_from + i * bucket_length;
		stage.advance(bucket);
	}
	look_for_no_number(stage.evaluate_path());
}

std::string
read(std::uint8_t form, std::string_view bytes) {
	switch (form) {
	case row_form: {
		auto row = decode_row(bytes, evidence_from);
		if (row.chain % 32 == 0)
			judge(row);
		// Its chain is that of the rows before, too.
		return encode(row, 0);
	}
	case units_form: return encode(decode_units(bytes));
	case notes_form: return PageNotes::decode(bytes).encode();
	case state_form: return encode(decode_state(signed_state(bytes), 0).value(), 0).substr(9);
	}
	std::abort();
}

std::vector<std::uint64_t>
hashes(std::mt19937_64 &random) {
	std::vector<std::uint64_t> list(random() % 4);
	for (auto &hash : list)
		hash = random();
	return list;
}

BucketRow
random_row(std::mt19937_64 &random) {
	BucketRow row;
	const auto some = [&](std::uint64_t most) { return static_cast<double>(random() % (most + 1)); };
	for (auto &rates : row.bucket.rates) {
		rates.counts = {some(2), 2 + some(98), some(20), 20 + some(980)};
		rates.raw = {some(4), some(40), some(60)};
	}
	for (auto &latency : row.bucket.latencies)
		for (auto *durations : {&latency.canary, &latency.control})
			for (auto n = random() % 4; n > 0; --n)
				durations->add(100 + some(900));
	row.bucket.first_seen = {some(9), some(90)};
	row.bucket.active = {some(9), some(90)};
	row.counts = random() % 4;
	row.no_room = random() % 8 ? 0 : static_cast<std::uint8_t>(random());
	if (random() % 4 == 0)
		row.postponed[1] = {1 + static_cast<int>(random() % 6), row.bucket.rates[1]};
	if (random() % 4 == 0)
		row.hole = {5, 3};
	if (random() % 4 == 0)
		row.late[2] = {Kind::forced_resync, Cohort::v11, 30, 90, 7, row.bucket.begin - 7min, 20};
	if (random() % 4 == 0)
		row.looked_until = row.bucket.begin - 2min;
	if (random() % 4 == 0) {
		row.has_baselines = true;
		row.baselines[0] = Baseline{0.05, 400, 1.2};
	}
	return row;
}

std::string
state_body(std::uint64_t seed) {
	std::mt19937_64 random(seed);
	StageAnalysis stage(default_setup(seed % 2 ? Stage::canary_50 : Stage::canary_1, evidence_from - 120s));
	for (int i = -20; i < 80; ++i) {
		const auto row = random_row(random);
		auto bucket = row.bucket;
		bucket.begin = evidence_from + i * bucket_length;
		if (row.late[2].left > 0 && i % 8 == 0)
			bucket.worse_since[2] = bucket.begin - 5min;
		stage.advance(bucket);
	}
	return encode(stage.state(), 0).substr(9);
}

} // namespace

const std::span<Tally> tallies = by_form;

std::string
seed(std::mt19937_64 &random) {
	const auto form = static_cast<std::uint8_t>(random() % 16);
	const std::string head(1, static_cast<char>(form));
	switch (form < 15 ? form % 3 : state_form) {
	case row_form: {
		auto row = random_row(random);
		return head + encode(row, random());
	}
	case units_form: {
		NewUnits units;
		units.bad[1] = hashes(random);
		units.recent[1] = hashes(random);
		units.recent_control[1] = hashes(random);
		units.actors = hashes(random);
		return head + encode(units);
	}
	case notes_form: {
		PageNotes notes;
		for (auto n = random() % 4; n > 0; --n)
			notes.add({evidence_from - n * 10s, {{static_cast<std::uint32_t>(random()), 7}, {2, 8}}},
					  evidence_from - 1h);
		return head + notes.encode();
	}
	default: {
		static const std::string bodies[] = {state_body(1), state_body(2)};
		return head + bodies[random() % 2];
	}
	}
}

} // namespace chat_v11::fuzz

extern "C" int
LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
	using namespace chat_v11;
	if (size < 1)
		return 0;
	const auto selector = data[0] % 16;
	const auto form = static_cast<std::uint8_t>(selector < 15 ? selector % 3 : fuzz::state_form);
	auto &tally = fuzz::tallies[form];
	try {
		const auto once = fuzz::read(form, {reinterpret_cast<const char *>(data) + 1, size - 1});
		fuzz::require(fuzz::read(form, once) == once);
		++tally.accepted;
	} catch (const CorruptBytes &) {
		++tally.refused;
	}
	return 0;
}
