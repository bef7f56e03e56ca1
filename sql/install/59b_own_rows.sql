-- What else each server has of its own: rows that a publication of all tables brings are passed over.  The fold would
-- go on from another server's cursor, the guard from another guard's word, and one key on both would stop the
-- subscription, and the next kill with it.  Only where changes are replayed, so that the fold does not pay for it.
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.write_0
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.write_0 ENABLE REPLICA TRIGGER "10_keep_own";
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.write_1
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.write_1 ENABLE REPLICA TRIGGER "10_keep_own";
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.write_2
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.write_2 ENABLE REPLICA TRIGGER "10_keep_own";
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.pending_write
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.pending_write ENABLE REPLICA TRIGGER "10_keep_own";
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.fold_state
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.fold_state ENABLE REPLICA TRIGGER "10_keep_own";
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.gate_log
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.gate_log ENABLE REPLICA TRIGGER "10_keep_own";
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.guard_state
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.guard_state ENABLE REPLICA TRIGGER "10_keep_own";
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.consumer
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.consumer ENABLE REPLICA TRIGGER "10_keep_own";
-- Node 0 is this database, so a row of it that comes from elsewhere is of another node 0.
CREATE TRIGGER "10_keep_own" BEFORE INSERT ON chat_v11.metric_bucket
	FOR EACH ROW WHEN (NEW.node_id = 0) EXECUTE FUNCTION chat_v11.keep_own();
CREATE TRIGGER "15_keep_own" BEFORE UPDATE OR DELETE ON chat_v11.metric_bucket
	FOR EACH ROW WHEN (OLD.node_id = 0) EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.metric_bucket ENABLE REPLICA TRIGGER "10_keep_own";
ALTER TABLE chat_v11.metric_bucket ENABLE REPLICA TRIGGER "15_keep_own";
CREATE TRIGGER "10_keep_own" BEFORE INSERT ON chat_v11.write_bucket
	FOR EACH ROW WHEN (NEW.node_id = 0) EXECUTE FUNCTION chat_v11.keep_own();
CREATE TRIGGER "15_keep_own" BEFORE UPDATE OR DELETE ON chat_v11.write_bucket
	FOR EACH ROW WHEN (OLD.node_id = 0) EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.write_bucket ENABLE REPLICA TRIGGER "10_keep_own";
ALTER TABLE chat_v11.write_bucket ENABLE REPLICA TRIGGER "15_keep_own";

