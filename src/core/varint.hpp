#pragma once

// Integers in as few bytes as they need (LEB128), for what is stored packed.  The reader never trusts its bytes.

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace chat_v11 {

// Bytes that are not what was once written.
class CorruptBytes : public std::runtime_error {
public:
	using std::runtime_error::runtime_error;
};

class ByteWriter {
public:
	void
	varint(std::uint64_t value) {
		while (value >= 0x80) {
			bytes_ += static_cast<char>(value | 0x80);
			value >>= 7;
		}
		bytes_ += static_cast<char>(value);
	}
	void
	signed_varint(std::int64_t value) {
		varint((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
	}
	void
	raw(const void *data, size_t size) {
		bytes_.append(static_cast<const char *>(data), size);
	}
	void
	byte(std::uint8_t value) {
		bytes_ += static_cast<char>(value);
	}
	// Little-endian.
	void
	fixed64(std::uint64_t value) {
		for (int i = 0; i < 8; ++i)
			byte(static_cast<std::uint8_t>(value >> 8 * i));
	}
	std::string
	take() {
		return std::move(bytes_);
	}

private:
	std::string bytes_;
};

class ByteReader {
public:
	explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

	bool
	done() const {
		return at_ == bytes_.size();
	}
	std::uint8_t
	byte() {
		if (done())
			throw CorruptBytes("the bytes end too early");
		return static_cast<std::uint8_t>(bytes_[at_++]);
	}
	std::uint64_t
	varint() {
		std::uint64_t value = 0;
		for (int shift = 0; shift < 64; shift += 7) {
			const auto next = byte();
			value |= static_cast<std::uint64_t>(next & 0x7F) << shift;
			if (next < 0x80)
				return value;
		}
		throw CorruptBytes("a number is too long");
	}
	std::int64_t
	signed_varint() {
		const auto value = varint();
		return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
	}
	std::uint64_t
	fixed64() {
		std::uint64_t value = 0;
		for (int i = 0; i < 8; ++i)
			value |= static_cast<std::uint64_t>(byte()) << 8 * i;
		return value;
	}
	std::string_view
	raw(size_t size) {
		if (bytes_.size() - at_ < size)
			throw CorruptBytes("the bytes end too early");
		const auto part = bytes_.substr(at_, size);
		at_ += size;
		return part;
	}

private:
	std::string_view bytes_;
	size_t at_ = 0;
};

} // namespace chat_v11
