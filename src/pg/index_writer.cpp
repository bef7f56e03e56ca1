#include "pg/index_writer.hpp"

extern "C" {
#include "executor/executor.h"
#include "utils/relcache.h"
}

namespace chat_v11::pg {

IndexWriter
IndexWriter::open(Relation table) {
	constexpr Index only_relation = 1;
	IndexWriter writer{CreateExecutorState(), makeNode(ResultRelInfo)};
	InitResultRelInfo(writer.target, table, only_relation, nullptr, 0);
	ExecOpenIndices(writer.target, false);
	return writer;
}

void
IndexWriter::put(TupleTableSlot *slot, [[maybe_unused]] bool summaries_only) {
#if PG_VERSION_NUM >= 160000
	(void)ExecInsertIndexTuples(target, slot, state, false, false, nullptr, NIL, summaries_only);
#else
	(void)ExecInsertIndexTuples(target, slot, state, false, false, nullptr, NIL);
#endif
	ResetPerTupleExprContext(state);
}

void
IndexWriter::close() {
	ExecCloseIndices(target);
	FreeExecutorState(state);
}

int
index_count(Relation table) {
	List *indexes = RelationGetIndexList(table);
	const int count = list_length(indexes);
	list_free(indexes);
	return count;
}

} // namespace chat_v11::pg
