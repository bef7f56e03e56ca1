#pragma once

// The two crossings between PostgreSQL's longjmp and C++'s unwinding.
//
//   pg::call(f)          C++ -> PostgreSQL: an ERROR raised in f comes back as a C++ exception (pg::Error), so
//                        destructors run.
//   CHAT_V11_ENTRY(name) PostgreSQL -> C++: an exception leaving the body comes back as an ERROR, raised only after
//                        every C++ frame is gone.
//
// No PostgreSQL function that can raise is called outside pg::call, and no lambda given to pg::call owns anything with
// a destructor: a longjmp over such an object is undefined behaviour.

#include "pg/postgres.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace chat_v11::pg {

// An ERROR raised inside PostgreSQL, with every field it carried.
class Error : public std::exception {
public:
	// Takes the error that PostgreSQL just raised off its stack.
	[[noreturn]] static void throw_pending();

	const char *
	what() const noexcept override {
		return data_->message ? data_->message : "missing error text";
	}
	const char *
	detail() const noexcept {
		return data_->detail ? data_->detail : "";
	}
	int
	sqlstate() const noexcept {
		return data_->sqlerrcode;
	}

	// Hands the error over to 'parent', for it to outlive this exception.
	ErrorData *release_into(MemoryContext parent) const noexcept;

private:
	struct Context {
		MemoryContext context = nullptr;
		Context() = default;
		Context(const Context &) = delete;
		Context &operator=(const Context &) = delete;
		~Context() {
			if (context)
				MemoryContextDelete(context);
		}
	};
	Error(std::shared_ptr<Context> owner, ErrorData *data) noexcept : owner_(std::move(owner)), data_(data) {}

	std::shared_ptr<Context> owner_; // shared, because exceptions are copyable
	ErrorData *data_;                // lives in it
};

// Test aid, behind the setting chat_v11.fault: makes the n-th crossing of the boundary go wrong.  See pg/fault.cpp.
extern bool fault_armed;
void fault_point();

namespace detail {

// What PG_TRY saves, restored also when a C++ exception passes by, which PG_TRY does not do.
class ErrorStack {
public:
	ErrorStack() noexcept : jump_(PG_exception_stack), context_(error_context_stack), memory_(CurrentMemoryContext) {}
	~ErrorStack() {
		PG_exception_stack = jump_;
		error_context_stack = context_;
	}
	ErrorStack(const ErrorStack &) = delete;
	ErrorStack &operator=(const ErrorStack &) = delete;
	MemoryContext
	memory() const noexcept {
		return memory_;
	}

private:
	sigjmp_buf *jump_;
	ErrorContextCallback *context_;
	MemoryContext memory_;
};

// Runs f; false if PostgreSQL raised an ERROR in it, which is then pending.
// The one place that calls sigsetjmp: it has no local that changes after it.
template <typename F>
bool
completes(F &f) {
	const ErrorStack saved;
	sigjmp_buf here;
	if (sigsetjmp(here, 0) != 0) {
		MemoryContextSwitchTo(saved.memory());
		return false;
	}
	PG_exception_stack = &here;
	f();
	return true;
}

// An error on its way out of C++.  Trivial on purpose: ereport jumps over it.
struct Outgoing {
	ErrorData *rethrow;
	int sqlstate;
	const char *message;
	const char *detail;
	const char *hint;
};
static_assert(std::is_trivially_destructible_v<Outgoing>);

Outgoing current_exception_as_error() noexcept;
[[noreturn]] void raise(const Outgoing &error);

} // namespace detail

// PostgreSQL -> C++ from a callback that is no SQL function.  Whoever calls it owns nothing with a destructor.
template <typename F>
std::invoke_result_t<F>
enter(F &&f) {
	detail::Outgoing error;
	try {
		return f();
	} catch (...) {
		error = detail::current_exception_as_error();
	}
	detail::raise(error);
}

// C++ -> PostgreSQL, for what puts things right after an exception: chat_v11.fault does not hit it.
template <typename F>
std::invoke_result_t<F>
clean_up(F &&f) {
	using Result = std::invoke_result_t<F>;
	if constexpr (std::is_void_v<Result>) {
		if (!detail::completes(f))
			Error::throw_pending();
	} else {
		static_assert(std::is_trivial_v<Result>, "a longjmp must not skip the result's destructor");
		Result result;
		auto assign = [&] { result = f(); };
		if (!detail::completes(assign))
			Error::throw_pending();
		return result;
	}
}

// C++ -> PostgreSQL.
template <typename F>
std::invoke_result_t<F>
call(F &&f) {
	if (unlikely(fault_armed))
		fault_point();
	return clean_up(std::forward<F>(f));
}

// CHECK_FOR_INTERRUPTS for C++ loops: sets up a jump only if one is needed.
inline void
check_for_interrupts() {
	if (unlikely(InterruptPending))
		call([] { CHECK_FOR_INTERRUPTS(); });
}

} // namespace chat_v11::pg

#define CHAT_V11_ENTRY(name)                                                                                           \
	static Datum name##_body(FunctionCallInfo fcinfo);                                                                 \
	extern "C" {                                                                                                       \
	PG_FUNCTION_INFO_V1(name);                                                                                         \
	PGDLLEXPORT Datum                                                                                                  \
	name(PG_FUNCTION_ARGS) {                                                                                           \
		return chat_v11::pg::enter([&] { return name##_body(fcinfo); });                                               \
	}                                                                                                                  \
	}                                                                                                                  \
	static Datum name##_body([[maybe_unused]] FunctionCallInfo fcinfo)
