// The edges of the histogram, and the table by which bin_of() finds its place among them.

#include "core/histogram.hpp"

namespace chat_v11::histogram_layout {

namespace {

constexpr int decades = 11; // from 1e-2 to 1e9

// All integers here are exact in a double, so the one multiplication or division gives the double next to the decimal
// number, which is also what reading its text gives.
constexpr double
edge(int hundredths, int decade) {
	double scale = 1;
	for (int i = decade; i < 4; ++i)
		scale *= 10;
	if (decade < 4)
		return hundredths / scale;
	for (int i = 4; i < decade; ++i)
		scale *= 10;
	return hundredths * scale;
}

constexpr auto
make_edges() {
	std::array<double, bin_count> edges{};
	size_t bin = 0;
	edges[bin] = edge(100, 0);
	for (int decade = 0; decade < decades; ++decade)
		for (int n = 100; n < 1000;) {
			n += n < 250 ? 2 : n < 500 ? 5 : 10;
			edges[++bin] = edge(n, decade);
		}
	return edges;
}

constexpr auto edges = make_edges();
static_assert(edges.front() == smallest_edge && edges.back() == largest_edge);

constexpr double
cell_begin(std::uint64_t cell) {
	return std::bit_cast<double>((cell + first_cell) << cell_shift);
}

constexpr auto
make_cells() {
	std::array<std::uint16_t, last_cell - first_cell + 1> bins{};
	size_t bin = 0;
	for (size_t cell = 0; cell < bins.size(); ++cell) {
		while (cell_begin(cell) > edges[bin])
			++bin;
		bins[cell] = static_cast<std::uint16_t>(bin);
	}
	return bins;
}

constexpr auto cells = make_cells();

// What bin_of() rests on: the end of a cell is at most one bin further than its begin.
constexpr bool
one_comparison_is_enough() {
	for (size_t cell = 0; cell + 1 < cells.size(); ++cell)
		if (cells[cell + 1] > cells[cell] + 1)
			return false;
	return true;
}
static_assert(one_comparison_is_enough());

} // namespace

constinit const std::array<double, bin_count> upper_edges = edges;
constinit const std::array<std::uint16_t, last_cell - first_cell + 1> bin_at_cell = cells;

} // namespace chat_v11::histogram_layout
