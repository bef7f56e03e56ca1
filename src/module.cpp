#include "pg/boundary.hpp"
#include "pg/guard_worker.hpp"
#include "pg/on_commit.hpp"
#include "pg/recovery.hpp"
#include "pg/release.hpp"
#include "pg/settings.hpp"

extern "C" {
PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void) {
	chat_v11::pg::define_settings();
	chat_v11::pg::register_commit_callbacks();
	chat_v11::pg::register_release_callback();
	chat_v11::pg::register_recovery_callback();
	if (process_shared_preload_libraries_in_progress)
		chat_v11::pg::register_launcher();
}
}
