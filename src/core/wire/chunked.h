#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ai_proxy::wire {

// Decodes the chunked transfer coding (RFC 9112 7.1), fed any bytes.
// Extensions and trailers are skipped within a bound.
class ChunkedDecoder {
public:
    enum class State : uint8_t { more, done, invalid };

    // Takes some bytes off the front of in; payload is the piece of body found
    // (a view into in, perhaps empty).  Call again while in is not empty and
    // the state is more.  After done, bytes left in `in` are not ours.
    State next(std::string_view& in, std::string_view& payload) noexcept;

private:
    enum class Step : uint8_t {
        size,
        extension,
        size_lf,
        data,
        data_cr,
        data_lf,
        trailer_start,
        trailer,
        trailer_lf,
        last_lf,
        done
    };
    bool line_byte(char c) noexcept;
    bool size_byte(char c) noexcept;
    void end_size_line() noexcept;

    Step step_ = Step::size;
    uint64_t left_ = 0;
    uint32_t line_ = 0; // bytes of the current size/extension/trailer line
    bool digits_ = false;
};

} // namespace ai_proxy::wire
