#include "core/credential/sigv4.h"

#include "core/credential/digest.h"

#include <algorithm>

namespace ai_proxy::credential {

namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

int hex_digit(char c) noexcept
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    const char l = lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

std::string percent_decode(std::string_view text)
{
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        const int high =
            text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
        const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low >= 0) {
            out += static_cast<char>(high * 16 + low);
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

// Without empty and dot segments; a slash at the end stays.
std::string normal_path(std::string_view path)
{
    std::vector<std::string_view> kept;
    bool slash = path.ends_with('/');
    for (std::string_view rest = path; !rest.empty();) {
        const size_t end = std::min(rest.find('/'), rest.size());
        const std::string_view segment = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (segment == "..") {
            if (!kept.empty()) {
                kept.pop_back();
            }
            slash = slash || rest.empty();
        } else if (segment == ".") {
            slash = slash || rest.empty();
        } else if (!segment.empty()) {
            kept.push_back(segment);
        }
    }
    std::string out;
    for (const std::string_view segment : kept) {
        out.append("/").append(segment);
    }
    return out.empty() || slash ? out + "/" : out;
}

// All services but S3 encode the path once more than it was sent.
std::string canonical_path(std::string_view path)
{
    return percent_encode(normal_path(path), "/");
}

std::string canonical_query(std::string_view query)
{
    std::vector<std::pair<std::string, std::string>> pairs;
    while (!query.empty()) {
        const size_t end = std::min(query.find('&'), query.size());
        const std::string_view pair = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        const size_t equals = std::min(pair.find('='), pair.size());
        const std::string_view value =
            pair.substr(std::min(equals + 1, pair.size()));
        pairs.emplace_back(
            percent_encode(percent_decode(pair.substr(0, equals))),
            percent_encode(percent_decode(value)));
    }
    std::sort(pairs.begin(), pairs.end());
    std::string out;
    for (const auto& [name, value] : pairs) {
        out.append(out.empty() ? "" : "&").append(name);
        out.append("=").append(value);
    }
    return out;
}

// Runs of white space are one space.
std::string folded(std::string_view value)
{
    std::string out;
    bool space = false;
    for (const char c : trim(value)) {
        const bool blank = c == ' ' || (c >= '\t' && c <= '\r');
        if (!blank || !space) {
            out += blank ? ' ' : c;
        }
        space = blank;
    }
    return out;
}

struct Headers {
    std::string canonical; // "name:value\n"...
    std::string names;     // "name;name"
};

Headers canonical_headers(std::vector<std::pair<std::string, std::string>> all)
{
    // Values of one name stay in their order.
    std::stable_sort(all.begin(), all.end(),
        [](const auto& a, const auto& b) { return a.first < b.first; });
    Headers out;
    for (size_t i = 0; i < all.size(); ++i) {
        if (i > 0 && all[i].first == all[i - 1].first) {
            out.canonical.pop_back();
            out.canonical.append(",").append(all[i].second).append("\n");
            continue;
        }
        out.canonical.append(all[i].first).append(":");
        out.canonical.append(all[i].second).append("\n");
        out.names.append(out.names.empty() ? "" : ";").append(all[i].first);
    }
    return out;
}

std::string lowered(std::string_view text)
{
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
}

Headers headers_of(
    const AwsKey& key, const AwsRequest& request, const std::string& date)
{
    std::vector<std::pair<std::string, std::string>> all;
    for (const Header& header : request.headers) {
        all.emplace_back(lowered(header.name), folded(header.value));
    }
    all.emplace_back("host", folded(request.host));
    all.emplace_back("x-amz-date", date);
    if (!key.session_token.empty()) {
        all.emplace_back("x-amz-security-token", folded(key.session_token));
    }
    return canonical_headers(std::move(all));
}

std::string signature_of(std::string_view secret, const AwsRequest& request,
    std::string_view day, std::string_view text)
{
    const std::string first = "AWS4" + std::string(secret);
    Digest key = hmac_sha256(first, day);
    for (const std::string_view step :
        {request.region, request.service, std::string_view("aws4_request")})
    {
        key = hmac_sha256(bytes_of(key), step);
    }
    return hex(hmac_sha256(bytes_of(key), text));
}

} // namespace

AwsSignature sign_aws(const AwsKey& key, const AwsRequest& request)
{
    AwsSignature out;
    out.date = basic_time(request.now_seconds);
    const std::string_view day = std::string_view(out.date).substr(0, 8);
    const size_t mark = std::min(request.path.find('?'), request.path.size());
    const std::string_view query =
        request.path.substr(std::min(mark + 1, request.path.size()));
    const Headers headers = headers_of(key, request, out.date);

    std::string& canonical = out.canonical_request;
    canonical.append(request.method).append("\n");
    canonical += canonical_path(request.path.substr(0, mark)) + "\n";
    canonical += canonical_query(query) + "\n";
    canonical += headers.canonical + "\n" + headers.names + "\n";
    canonical += hex(sha256(request.body));

    std::string scope(day);
    scope.append("/").append(request.region);
    scope.append("/").append(request.service).append("/aws4_request");
    out.string_to_sign = std::string(kAlgorithm) + "\n" + out.date + "\n"
        + scope + "\n" + hex(sha256(canonical));

    out.authorization = std::string(kAlgorithm) + " Credential=";
    out.authorization.append(key.access_key).append("/").append(scope);
    out.authorization.append(", SignedHeaders=").append(headers.names);
    out.authorization.append(", Signature=")
        .append(signature_of(key.secret_key, request, day, out.string_to_sign));
    return out;
}

} // namespace ai_proxy::credential
