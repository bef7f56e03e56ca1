// What somebody typed, as it is shown to others.

#include "core/text.hpp"

#include "fixture.hpp"

namespace chat_v11::test {

namespace {

struct ShownCase {
	const char *what;
	std::string text;
	std::string shown;
};

std::ostream &
operator<<(std::ostream &out, const ShownCase &c) {
	return out << c.what;
}

const std::vector<ShownCase> shown_cases = {
	{"empty", "", ""},
	{"plain", "a b ~", "a b ~"},
	{"controls", "a\nb\tc\x7F", "a b c "},
	{"C1 controls", "a\u0080b\u0085c\u009Fd", "a b c d"},
	{"the characters after them", "\u00A0\u00E9", "\u00A0\u00E9"},
	{"line and paragraph separator", "a\u2028b\u2029c", "a b c"},
	{"the ones beside them", "\u2027\u202F", "\u2027\u202F"},
	{"turned around", "a\u202Eb\u202Ac\u2066d\u2069e\u200Ff\u061Cg", "abcdefg"},
	{"without width", "a\u200Bb\u2060c\uFEFFd\u00ADe\u180Ef", "abcdef"},
	{"for programs", "a\U000E0041b\uFFF9c", "abc"},
	{"joined, or kept apart: spelling", "a\u200Cb\u200Dc", "a\u200Cb\u200Dc"},
	{"each length", "z\u0436\u20AC\U0001F600", "z\u0436\u20AC\U0001F600"},
	{"no UTF-8 stays", "a\xFF\x80\xC3(\xE2\x80", "a\xFF\x80\xC3(\xE2\x80"},
};

} // namespace

BOOST_AUTO_TEST_SUITE(text)

BOOST_DATA_TEST_CASE(one_line_shows_what_there_is, bdata::make(shown_cases), c) {
	BOOST_TEST(one_line(c.text) == c.shown);
}

BOOST_AUTO_TEST_CASE(markdown_shows_it_as_text) {
	BOOST_TEST(markdown_text(" a \n b | `c` *d* [e] <f> \\ ") == "a b \\| \\`c\\` \\*d\\* \\[e] \\<f> \\\\");
	// What is not seen hides nothing that is.
	BOOST_TEST(markdown_text("a\u2028# b\u0085\u202E| c\u200B\u200B <\uFEFFd") == "a # b \\| c \\<d");
	BOOST_TEST(markdown_text("a \u2029 ") == "a");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
