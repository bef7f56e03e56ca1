// The text of a histogram: {182:3,184:10}, a bin by its upper edge.

#include "core/histogram.hpp"
#include "core/refusal.hpp"

#include <charconv>

namespace chat_v11 {

namespace {

constexpr auto hint = "Write {182:3,184:10}: upper edge of a bin in ms, colon, count, ascending; {} for none.";

// Never with an exponent: people compare these with limits that they typed.
std::string
edge_text(double edge) {
	char text[32];
	return {text, std::to_chars(text, text + sizeof text, edge, std::chars_format::fixed).ptr};
}

class Reader {
public:
	explicit Reader(std::string_view text) : text_(text) {}

	Histogram
	read() {
		Histogram histogram;
		expect('{');
		if (!accept('}')) {
			do
				item(histogram);
			while (accept(','));
			expect('}');
		}
		if (skip_blanks(); at_ != text_.size())
			refuse("something follows after its end");
		return histogram;
	}

private:
	void
	item(Histogram &histogram) {
		++item_;
		const auto edge = number<double>("the upper edge of a bin");
		if (!(edge > 0) || !Histogram::is_edge(edge))
			refuse("item " + std::to_string(item_) + " does not name the upper edge of a bin", neighbours(edge));
		const int bin = Histogram::bin_of(edge);
		if (bin <= last_bin_)
			refuse("item " + std::to_string(item_) + " is not above the one before");
		last_bin_ = bin;
		expect(':');
		const auto count = number<std::int64_t>("a count");
		if (count <= 0)
			refuse("item " + std::to_string(item_) + " has a count below 1");
		histogram.add_bin(bin, count);
	}

	static std::string
	neighbours(double value) {
		if (!(value > 0 && value < Histogram::upper(Histogram::bin_count - 1)))
			return "Edges go from 0.01 to 1000000000.";
		const auto [below, above] = Histogram::edges_around(value);
		return below == 0 ? "The first edge is " + edge_text(above) + "."
						  : "Edges beside it are " + edge_text(below) + " and " + edge_text(above) + ".";
	}

	// For each item it says which one, because a histogram may have a thousand.
	template <typename T>
	T
	number(const char *what) {
		skip_blanks();
		T value{};
		const char *const begin = text_.data() + at_;
		const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
		if (error != std::errc())
			refuse("item " + std::to_string(item_) + " has no number where " + what + " belongs");
		at_ += static_cast<size_t>(end - begin);
		return value;
	}

	void
	expect(char c) {
		if (!accept(c))
			refuse(std::string("\"") + c + "\" is missing " +
				   (item_ == 0 ? "at its begin" : "in or after item " + std::to_string(item_)));
	}
	bool
	accept(char c) {
		skip_blanks();
		if (at_ == text_.size() || text_[at_] != c)
			return false;
		++at_;
		return true;
	}
	void
	skip_blanks() {
		while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
			++at_;
	}

	[[noreturn]] static void
	refuse(const std::string &why, std::string detail = {}) {
		throw invalid_argument("text is no histogram: " + why, std::move(detail), hint);
	}

	std::string_view text_;
	size_t at_ = 0;
	size_t item_ = 0; // from 1
	int last_bin_ = -1;
};

} // namespace

std::string
Histogram::to_text() const {
	std::string text = "{";
	for_each([&](int bin, std::int64_t n) {
		text += (text.size() > 1 ? "," : "") + edge_text(upper(bin)) + ":" + std::to_string(n);
	});
	return text + "}";
}

Histogram
Histogram::parse(std::string_view text) {
	return Reader(text).read();
}

} // namespace chat_v11
