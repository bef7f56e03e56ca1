#include "pg/fault.hpp"

#include <cstdlib>
#include <cstring>
#include <new>

namespace chat_v11::pg {

bool fault_armed = false;

namespace {

enum class Fault { none, exception, bad_alloc, error, cancel };

struct Plan {
	Fault fault;
	long at;
};

Plan plan{Fault::none, 0};
long crossings = 0;

bool
parse(const char *text, Plan &out) {
	static constexpr struct {
		const char *name;
		Fault fault;
	} kinds[] = {{"exception", Fault::exception},
				 {"bad_alloc", Fault::bad_alloc},
				 {"error", Fault::error},
				 {"cancel", Fault::cancel}};
	const char *colon = std::strchr(text, ':');
	if (!colon)
		return false;
	for (const auto &kind : kinds)
		if (std::strlen(kind.name) == static_cast<size_t>(colon - text) &&
			std::strncmp(text, kind.name, static_cast<size_t>(colon - text)) == 0) {
			out = {kind.fault, std::atol(colon + 1)};
			return out.at > 0;
		}
	return false;
}

} // namespace

bool
check_fault(char **newval, void **, GucSource) {
	Plan ignored{};
	return !*newval || !**newval || parse(*newval, ignored);
}

void
assign_fault(const char *newval, void *) {
	crossings = 0;
	fault_armed = newval && *newval && parse(newval, plan);
}

void
fault_point() {
	if (++crossings != plan.at)
		return;
	fault_armed = false; // once
	switch (plan.fault) {
	case Fault::exception: throw std::runtime_error("fault asked for by chat_v11.fault");
	case Fault::bad_alloc: throw std::bad_alloc();
	case Fault::error:
		call([] { ereport(ERROR, (errcode(ERRCODE_IO_ERROR), errmsg("fault asked for by chat_v11.fault"))); });
		break;
	case Fault::cancel:
		call([] {
			QueryCancelPending = true;
			InterruptPending = true;
			CHECK_FOR_INTERRUPTS();
		});
		break;
	case Fault::none: break;
	}
}

} // namespace chat_v11::pg
