#include "pg/log_lines.hpp"

#include "pg/datum.hpp"

#include <algorithm>
#include <vector>

namespace chat_v11::pg {

namespace {

struct Line {
	SubTransactionId subtransaction;
	std::string text;
};

std::vector<Line> pending;

void
write_log(const char *stage, const char *text) {
	ereport(LOG_SERVER_ONLY, (errmsg_internal("%s%s", stage, text), errhidestmt(true), errhidecontext(true)));
}

// Must not raise: the transaction is already committed.
void
at_transaction_end(XactEvent event, void *) {
	if (pending.empty())
		return;
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE) {
		// Nobody is called when a prepared transaction ends, so its lines say how far it came.
		const char *stage = event == XACT_EVENT_PREPARE ? "prepared, not yet committed: " : "";
		for (const auto &line : pending)
			write_log(stage, line.text.c_str());
		pending.clear();
	} else if (event == XACT_EVENT_ABORT) {
		pending.clear();
	}
}

void
at_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *) {
	if (event == SUBXACT_EVENT_ABORT_SUB)
		std::erase_if(pending, [&](const Line &line) { return line.subtransaction == mine; });
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
		for (auto &line : pending)
			if (line.subtransaction == mine)
				line.subtransaction = parent;
}

} // namespace

void
register_log_callbacks() {
	RegisterXactCallback(at_transaction_end, nullptr);
	RegisterSubXactCallback(at_subtransaction_end, nullptr);
}

void
log_on_commit(const std::string &utf8_line) {
	pending.push_back({GetCurrentSubTransactionId(), from_utf8(utf8_line)});
}

void
log_now(const std::string &utf8_line) {
	const auto line = from_utf8(utf8_line);
	call([&] { write_log("", line.c_str()); });
}

std::string
one_line(const std::string &text) {
	std::string out = text;
	for (auto &c : out)
		if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
			c = ' ';
	return out;
}

} // namespace chat_v11::pg
