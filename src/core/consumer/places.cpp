#include "core/consumer/places.h"

#include <algorithm>

namespace ai_proxy::consumer {

namespace {

constexpr size_t kMaxPresented = 8;

class Finder {
public:
    explicit Finder(std::vector<Presented>& found) : found_(found) {}

    void take(
        const Place& place, std::string_view value, std::string_view raw = {})
    {
        value = trim(value);
        if (!istarts_with(value, place.prefix)) {
            return;
        }
        value = trim(value.substr(place.prefix.size()));
        if (!value.empty() && found_.size() < kMaxPresented) {
            found_.push_back({place.where, std::string(value), raw});
        }
    }

private:
    std::vector<Presented>& found_;
};

void search_headers(const Place& place, const Call& call, Finder& found)
{
    for (const Header& field : call.headers) {
        if (iequals(field.name, place.name)) {
            found.take(place, field.value);
        }
    }
}

std::string_view next_piece(std::string_view& list, char end) noexcept
{
    const size_t at = std::min(list.find(end), list.size());
    const std::string_view piece = list.substr(0, at);
    list.remove_prefix(std::min(at + 1, list.size()));
    return piece;
}

void search_query(const Place& place, const Call& call, Finder& found)
{
    if (place.seldom && !call.seldom) {
        return;
    }
    for (std::string_view rest = call.query; !rest.empty();) {
        const std::string_view pair = next_piece(rest, '&');
        const size_t equals = pair.find('=');
        if (equals != std::string_view::npos
            && form_decode(pair.substr(0, equals)) == place.name)
        {
            const std::string_view raw = pair.substr(equals + 1);
            found.take(place, form_decode(raw), raw);
        }
    }
}

void search_cookies(const Place& place, const Call& call, Finder& found)
{
    for (const Header& field : call.headers) {
        if (!iequals(field.name, "cookie")) {
            continue;
        }
        for (std::string_view rest = field.value; !rest.empty();) {
            const std::string_view pair = next_piece(rest, ';');
            const size_t equals = pair.find('=');
            if (equals != std::string_view::npos
                && trim(pair.substr(0, equals)) == place.name)
            {
                found.take(place, pair.substr(equals + 1));
            }
        }
    }
}

void search_subprotocols(const Place& place, const Call& call, Finder& found)
{
    for (const Header& field : call.headers) {
        if (!iequals(field.name, "sec-websocket-protocol")) {
            continue;
        }
        for (std::string_view rest = field.value; !rest.empty();) {
            const std::string_view name = trim(next_piece(rest, ','));
            if (istarts_with(name, place.name)) {
                found.take(place, name.substr(place.name.size()));
            }
        }
    }
}

} // namespace

std::vector<Place> usual_places()
{
    return {
        {Where::header, "authorization", {}, false},
        {Where::header, "x-api-key", {}, false},
        {Where::header, "api-key", {}, false},
        {Where::header, "x-goog-api-key", {}, false},
        {Where::query, "key", {}, true},
        {Where::query, "api-key", {}, true},
        {Where::subprotocol, "openai-insecure-api-key.", {}, true},
    };
}

std::vector<Presented> find_presented(
    std::span<const Place> places, const Call& call)
{
    std::vector<Presented> all;
    Finder found(all);
    for (const Place& place : places) {
        switch (place.where) {
        case Where::header:
            search_headers(place, call, found);
            break;
        case Where::query:
            search_query(place, call, found);
            break;
        case Where::cookie:
            search_cookies(place, call, found);
            break;
        case Where::subprotocol:
            search_subprotocols(place, call, found);
            break;
        }
    }
    return all;
}

std::string_view without_bearer(std::string_view value) noexcept
{
    constexpr std::string_view kBearer = "bearer ";
    return istarts_with(value, kBearer) ? trim(value.substr(kBearer.size()))
                                        : value;
}

bool is_place(
    std::span<const Place> places, Where where, std::string_view name) noexcept
{
    return std::any_of(places.begin(), places.end(), [&](const Place& place) {
        return place.where == where
            && (where == Where::query ? place.name == name
                                      : iequals(place.name, name));
    });
}

std::string without_places(
    std::span<const Place> places, std::string_view query, bool seldom)
{
    std::string kept;
    while (!query.empty()) {
        const size_t end = std::min(query.find('&'), query.size());
        const std::string_view pair = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        const std::string name = form_decode(pair.substr(0, pair.find('=')));
        const bool ours =
            std::any_of(places.begin(), places.end(), [&](const Place& place) {
                return place.where == Where::query && place.name == name
                    && (!place.seldom || seldom);
            });
        if (!ours && !pair.empty()) {
            kept += kept.empty() ? "" : "&";
            kept += pair;
        }
    }
    return kept;
}

} // namespace ai_proxy::consumer
