#include "core/redis/slot.h"

#include <array>

namespace ai_proxy::redis {

namespace {

// CRC-16/XMODEM, as the specification of Redis Cluster has it.
consteval std::array<uint16_t, 256> crc_table()
{
    std::array<uint16_t, 256> table{};
    for (unsigned i = 0; i < table.size(); i++) {
        unsigned crc = i << 8;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1;
        }
        table[i] = static_cast<uint16_t>(crc);
    }
    return table;
}

constexpr std::array<uint16_t, 256> kTable = crc_table();

uint16_t crc16(std::string_view bytes) noexcept
{
    unsigned crc = 0;
    for (char c : bytes) {
        const unsigned index = ((crc >> 8) ^ static_cast<uint8_t>(c)) & 0xff;
        crc = (crc << 8) ^ kTable[index];
    }
    return static_cast<uint16_t>(crc);
}

} // namespace

uint16_t key_slot(std::string_view key) noexcept
{
    const size_t open = key.find('{');
    if (open != std::string_view::npos) {
        const size_t close = key.find('}', open + 1);
        if (close != std::string_view::npos && close != open + 1) {
            key = key.substr(open + 1, close - open - 1);
        }
    }
    return crc16(key) % kSlots;
}

} // namespace ai_proxy::redis
