// Who is on call.

#include "core/roster.hpp"
#include "functions/config.hpp"
#include "pg/store.hpp"

namespace chat_v11 {

CHAT_V11_ENTRY(chat_v11_assign_oncall) {
	const auto role_text = pg::text_arg(fcinfo, 0);
	if (!role_text)
		throw invalid_argument("p_role is null", {}, "select chat_v11.assign_oncall('IC', 'NAME');");
	const std::string role(parse_role(*role_text));
	const auto person = pg::text_arg(fcinfo, 1);
	if (person)
		validate_person(*person);
	const bool known = pg::with_spi([&](pg::Spi &spi) {
		pg::lock_rollout();
		return !spi.query_latest("SELECT FROM chat_v11.oncall o WHERE o.role = $1", pg::Params() << role).empty();
	});
	pg::Params params;
	params << role;
	params.optional(person, TEXTOID) << pg::now() << pg::session_role();
	// Who is assigned anew has not begun anew: the row stays as it is, and so does the log.
	return write_and_return(known ? "UPDATE chat_v11.oncall o SET person = $2, "
									"since = CASE WHEN o.person IS DISTINCT FROM $2 THEN $3 ELSE o.since END, "
									"assigned_by = CASE WHEN o.person IS DISTINCT FROM $2 THEN $4 ELSE o.assigned_by "
									"END WHERE o.role = $1 RETURNING o"
								  : "INSERT INTO chat_v11.oncall AS o (role, person, since, assigned_by) "
									"VALUES ($1, $2, $3, $4) RETURNING o",
							std::move(params), invalid_argument("nobody was assigned"));
}

} // namespace chat_v11
