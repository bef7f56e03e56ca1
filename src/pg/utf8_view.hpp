#pragma once

// A text of the server as bytes of UTF-8, without a copy where it lies there as such: what is hashed.

#include "pg/datum.hpp"

#include <algorithm>

namespace chat_v11::pg {

class Utf8View {
public:
	// Throws ERR_INVALID_ARGUMENT for bytes that are no text in the database's encoding, where that is not UTF-8.
	explicit Utf8View(std::string_view server_text) { look_at(server_text); }

	// Of a value of type text.
	explicit Utf8View(Datum value) : given_(DatumGetPointer(value)), plain_(given_) {
		if (VARATT_IS_COMPRESSED(given_) || VARATT_IS_EXTERNAL(given_))
			plain_ = call([&] { return reinterpret_cast<const char *>(PG_DETOAST_DATUM_PACKED(value)); });
		look_at({VARDATA_ANY(plain_), static_cast<size_t>(VARSIZE_ANY_EXHDR(plain_))});
	}
	Utf8View(const Utf8View &) = delete;
	Utf8View &operator=(const Utf8View &) = delete;
	~Utf8View() {
		if (plain_ != given_)
			pfree(const_cast<char *>(plain_));
	}

	std::string_view
	bytes() const {
		return bytes_;
	}

private:
	void
	look_at(std::string_view server_text) {
		// A database without an encoding has whatever bytes it was given.
		static const bool as_it_is = GetDatabaseEncoding() == PG_UTF8 || GetDatabaseEncoding() == PG_SQL_ASCII;
		bytes_ = server_text;
		if (as_it_is || std::none_of(bytes_.begin(), bytes_.end(), [](char c) { return IS_HIGHBIT_SET(c); }))
			return;
		converted_ = to_utf8(bytes_);
		bytes_ = converted_;
	}

	const char *given_ = nullptr;
	const char *plain_ = nullptr;
	std::string_view bytes_;
	std::string converted_;
};

} // namespace chat_v11::pg
