#include "pg/boundary.hpp"

#include "core/refusal.hpp"

#include <cstring>
#include <new>

namespace chat_v11::pg {

void
Error::throw_pending() {
	// The copy must outlive whatever unwinding deletes, so it gets a context of its own.  Making it can run out of
	// memory too.
	const auto owner = std::make_shared<Context>();
	ErrorData *data = nullptr;
	auto copy = [&] {
		owner->context = AllocSetContextCreate(TopMemoryContext, "chat_v11 error", ALLOCSET_SMALL_SIZES);
		const MemoryContext old = MemoryContextSwitchTo(owner->context);
		data = CopyErrorData();
		MemoryContextSwitchTo(old);
	};
	const bool copied = detail::completes(copy);
	FlushErrorState();
	if (!copied)
		throw std::bad_alloc();
	throw Error(owner, data);
}

ErrorData *
Error::release_into(MemoryContext parent) const noexcept {
	MemoryContextSetParent(owner_->context, parent);
	owner_->context = nullptr;
	// A rule speaks from a table's trigger or check; whoever called a function need not read of its inner statement.
	if (data_->message && std::strncmp(data_->message, "ERR_", 4) == 0)
		data_->context = nullptr;
	return data_;
}

namespace detail {

namespace {

// pstrdup without the longjmp; texts of the core are UTF-8 and leave in the server's encoding.
const char *
copy_or_null(const char *text) noexcept {
	const auto size = std::strlen(text) + 1;
	if (size == 1)
		return nullptr;
	void *copy = MemoryContextAllocExtended(CurrentMemoryContext, size, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
	return copy ? static_cast<const char *>(std::memcpy(copy, text, size)) : nullptr;
}

int
make_sqlstate(const char *code) {
	return MAKE_SQLSTATE(code[0], code[1], code[2], code[3], code[4]);
}

// A text that the server's encoding cannot hold must not hide the error that it describes.
const char *
in_server_encoding(const char *text) {
	if (!text || GetDatabaseEncoding() == PG_UTF8)
		return text;
	for (const char *c = text; *c; ++c)
		if (IS_HIGHBIT_SET(*c)) {
			char *ascii = pstrdup(text);
			for (char *a = ascii; *a; ++a)
				if (IS_HIGHBIT_SET(*a))
					*a = '?';
			return ascii;
		}
	return text;
}

} // namespace

Outgoing
current_exception_as_error() noexcept {
	try {
		throw;
	} catch (const Error &e) {
		return {e.release_into(CurrentMemoryContext), 0, nullptr, nullptr, nullptr};
	} catch (const Refusal &e) {
		return {nullptr, make_sqlstate(e.sqlstate()), copy_or_null(e.what()), copy_or_null(e.detail().c_str()),
				copy_or_null(e.hint().c_str())};
	} catch (const std::bad_alloc &) {
		return {nullptr, ERRCODE_OUT_OF_MEMORY, "out of memory", nullptr, nullptr};
	} catch (const std::exception &e) {
		return {nullptr, ERRCODE_INTERNAL_ERROR, copy_or_null(e.what()), nullptr, nullptr};
	} catch (...) {
		return {nullptr, ERRCODE_INTERNAL_ERROR, "unknown C++ exception", nullptr, nullptr};
	}
}

void
raise(const Outgoing &error) {
	if (error.rethrow)
		ReThrowError(error.rethrow);
	ereport(ERROR, (errcode(error.sqlstate),
					errmsg_internal("%s", error.message ? in_server_encoding(error.message) : "out of memory"),
					error.detail ? errdetail_internal("%s", in_server_encoding(error.detail)) : 0,
					error.hint ? errhint("%s", in_server_encoding(error.hint)) : 0));
	pg_unreachable();
}

} // namespace detail
} // namespace chat_v11::pg
