#include "pg/on_commit.hpp"

#include "core/refusal.hpp"
#include "pg/datum.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

extern "C" {
#include "catalog/pg_database.h"
#include "commands/async.h"
#include "utils/fmgroids.h"
}

namespace chat_v11::pg {

namespace {

struct Message {
	SubTransactionId subtransaction;
	std::string text; // in the server's encoding
};

std::vector<Message> lines;
std::vector<Message> notifications;
const char *forbids_prepare = nullptr; // which function does
const char *why_no_prepare = nullptr;

void
write_log(const char *stage, const char *text) {
	ereport(LOG_SERVER_ONLY, (errmsg_internal("%s%s", stage, text), errhidestmt(true), errhidecontext(true)));
}

// The lock under which all sessions of the cluster commit their notifications.  Who waits there for a standby that is
// gone must not hold up a kill.
bool
lock_notification_queue() {
	constexpr auto patience = std::chrono::milliseconds(500);
	constexpr long pause_us = 1000;
	const auto end = std::chrono::steady_clock::now() + patience;
	LOCKTAG tag;
	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, InvalidOid, 0);
	while (call([&] { return LockAcquire(&tag, AccessExclusiveLock, false, true); }) == LOCKACQUIRE_NOT_AVAIL) {
		if (std::chrono::steady_clock::now() >= end)
			return false;
		pg_usleep(pause_us);
	}
	return true;
}

// What keeps the notifications from being sent, or "".
std::string
send_notifications() {
	constexpr double nearly_full = 0.9;
	try {
		if (call([] { return DatumGetFloat8(OidFunctionCall0(F_PG_NOTIFICATION_QUEUE_USAGE)); }) > nearly_full)
			return "the notification queue is nearly full: some session listens and does not end its transaction";
		if (!lock_notification_queue())
			return "other sessions have been committing notifications for half a second";
		for (const auto &each : notifications)
			call([&] { Async_Notify(notification_channel, each.text.c_str()); });
		return {};
	} catch (const std::exception &e) {
		return e.what();
	}
}

void
before_commit(XactEvent event) {
	if (event == XACT_EVENT_PRE_PREPARE && forbids_prepare)
		throw invalid_argument("a transaction that called " + std::string(forbids_prepare) + " cannot be prepared",
							   why_no_prepare);
	if (notifications.empty())
		return;
	const auto reason =
		event == XACT_EVENT_PRE_PREPARE ? "PostgreSQL has none for a prepared transaction" : send_notifications();
	if (!reason.empty())
		lines.push_back({TopSubTransactionId, "chat_v11: not notified: " + one_line(reason)});
	notifications.clear();
}

// From here on nothing may be raised: the transaction is committed.
void
at_transaction_end(XactEvent event, void *) {
	switch (event) {
	case XACT_EVENT_PRE_COMMIT:
	case XACT_EVENT_PRE_PREPARE: enter([&] { before_commit(event); }); break;
	case XACT_EVENT_COMMIT:
	case XACT_EVENT_PREPARE: {
		// Nobody is called when a prepared transaction ends, so its lines say how far it came.
		const char *stage = event == XACT_EVENT_PREPARE ? "prepared, not yet committed: " : "";
		for (const auto &line : lines)
			write_log(stage, line.text.c_str());
		lines.clear();
		forbids_prepare = nullptr;
		break;
	}
	case XACT_EVENT_ABORT:
		forbids_prepare = nullptr;
		lines.clear();
		notifications.clear();
		break;
	default: break;
	}
}

void
at_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *) {
	for (auto *messages : {&lines, &notifications}) {
		if (event == SUBXACT_EVENT_ABORT_SUB)
			std::erase_if(*messages, [&](const Message &message) { return message.subtransaction == mine; });
		else if (event == SUBXACT_EVENT_COMMIT_SUB)
			for (auto &message : *messages)
				if (message.subtransaction == mine)
					message.subtransaction = parent;
	}
}

} // namespace

void
register_commit_callbacks() {
	RegisterXactCallback(at_transaction_end, nullptr);
	RegisterSubXactCallback(at_subtransaction_end, nullptr);
}

void
log_on_commit(const std::string &utf8_line) {
	lines.push_back({GetCurrentSubTransactionId(), from_utf8(utf8_line)});
}

void
notify_on_commit(const std::string &utf8_payload) {
	notifications.push_back({GetCurrentSubTransactionId(), from_utf8(utf8_payload)});
}

void
forbid_prepare(const char *called, const char *why) {
	forbids_prepare = called;
	why_no_prepare = why;
}

void
log_now(const std::string &utf8_line) {
	const auto line = from_utf8(utf8_line);
	call([&] { write_log("", line.c_str()); });
}

void
tell(int level, const std::string &sentence, const std::string &detail, const std::string &hint) {
	const auto said = from_utf8(sentence);
	const auto more = from_utf8(detail);
	const auto next = from_utf8(hint);
	call([&] {
		ereport(level, (errmsg_internal("%s", said.c_str()), more.empty() ? 0 : errdetail_internal("%s", more.c_str()),
						next.empty() ? 0 : errhint("%s", next.c_str())));
	});
}

} // namespace chat_v11::pg
