#pragma once

#include <string>
#include <string_view>

// Keys made for the tests: nothing trusts them.
namespace ai_proxy::testing {

// JSON text, the line breaks escaped.
inline constexpr std::string_view kRsaKey =
    "-----BEGIN PRIVATE KEY-----\\n"
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDDSBEnboDhHwX1\\n"
    "u1AmfFCsHiPAv0VPOCdeS4UzY31HQXqTACGq3fsUnJKCV8MBQEFFdXTMMoz8soG2\\n"
    "xKD8Q+vLr5kvcL68OYw43+L/+NEu/zTHHCQL0QK7Lyk0qyBCfPwJrtdzQ4vx9wIS\\n"
    "bvntcX87fIaY9HNttiomXr8ldX1RWeJc++kOrzpVXolj3bVoofYFEHps/vobc/M9\\n"
    "bt6cuzvm4KJR4Ombq81gY/YKa0/GuEcUg4HwykN5Hq2kFDE/zmE3TGImvj/Khp/e\\n"
    "ALQboaLAC2VRMEGXRysgDaFRHzzKgEFtnGOaqoi3VEpEqz9WLHIw8HifKDAEhU73\\n"
    "Yj0ZOB2JAgMBAAECggEAQz6kRY9MSvkbXMhxK6eAQhyo1B0pOUPNbq+TwSPfxnM6\\n"
    "SbdwYH3LEYhu/PpKmLovH8N4Aj7gBL5VY4HnK6cZ4cxodAkfbQJmEkmqSdm88rGH\\n"
    "046RrQ3+okV1q4DH/Y07Xvw5jaPzY1FbAcz8PDLqjKnvUWlP/DYP4qGascP48NNo\\n"
    "XagXJAs+LFosEyMCYIQeQJKA6zH9W5D8Gf7+WlLmN5MtoQLnmywBAr3+CnGjEnQC\\n"
    "C59zgFuG/hIcqJol8SF5cSya1axhvATmkkjoSGwOpL+iZJ16A+YYjt3YgkJ47h3H\\n"
    "AkU0ZcGL/DL0DsOKoCAtmRUqluKD0VWm32binAZFnwKBgQDg4V++K0L62za6uz/E\\n"
    "iZi2xhkyc3ILfPC+RYQi5g+Kp4wfttUWmcDFUs0kULX9Zh2tCxW0pFfub7C8FgRe\\n"
    "+q+Ey6XQlugiNbhb8D+7FmYBWwzI0LQ9zoBwYnaJpH7VnBXAxbaDF6tcKsMzWfwx\\n"
    "GZ10mx+Zg6bCY/wm7PlhfLOrkwKBgQDeTh9CFym5y7OnXyvBLRkhhHuyYe/MRQpf\\n"
    "FRG8Ge/bQl2iR+nE3GijgUc+zUwDDiDX926eBpX4YrtfljtDAbSjKUiV50Kbsk24\\n"
    "//AlGqszfLYRBC/SshT01/uGl5+0CMCfdB3z8alMk0tW7sWoxrR2S/cR0yMQH07j\\n"
    "DCGEU/Vb8wKBgQCwYNRBSZktPAZ/CyKGug0nPdTBdz65t/LyqX9sB9mkvKjwruwO\\n"
    "3+UMX1c65nr3FsKr2IfbuRKmlr+dpf8jp6dGlpulMNc9Dbldkt/Jk1XKNmmej+Lu\\n"
    "nyqp+vBSIMzCKbv+CJSP2V6z2W5ktm1Q7XBL5ucv9swyp008Ep2+UppxNQKBgB2w\\n"
    "z2nzUAZZl4AGLQDa9h1M5Xx4qh9dJTp3xOubhzaAkaLn+efqDCuyS4KuxrUtwOM3\\n"
    "T9XZSVRoU2A732ReqPKVw/UJcxL6aHkJ7df2zODOij6RkZWRZU0iP5zFSXYxKRDi\\n"
    "4FFBeHwavBg7Qbj9+QJHuRLvYSJ5G/8lEqDq2b1TAoGALJ/Q9b+GIAvUkI6b3LRP\\n"
    "LtyVe8i9377+HCQjgRLJQTbErfGn0kpK7Ok2NmGSvcoMxQo9vVUV1iUtMqxcXFeR\\n"
    "fvIBXjHOHB74Lilif31O4V+SmnwsGnIcO0ZwXaZkSKdFhzuaaqpfdRimBBgctcgY\\n"
    "QVWMgsNOySkhgiSW1xAGiQA=\\n"
    "-----END PRIVATE KEY-----\\n";
inline constexpr std::string_view kShortRsaKey =
    "-----BEGIN PRIVATE KEY-----\\n"
    "MIICdQIBADANBgkqhkiG9w0BAQEFAASCAl8wggJbAgEAAoGBALEDyrfyoFaQT0fS\\n"
    "dae24nCUSUwy+BGON8opwk2WvspgaED7cYrIECSRGTGqND358rkH7ouJ5XTDBBp5\\n"
    "A0CVCqYMvvK0j+qibw8YaQXxoHubosiqLnONFhmmAsGSdGGJDYUArUuRwnVyUJt/\\n"
    "msR5BaLoY1P2Z/zW/R9qDq/KrqzzAgMBAAECgYAec3KKFljyyzx4NII86b8mcrvx\\n"
    "Octm6bo7MtfUFRyZH+CPXTH5F9V/FN7qpkb6amcQ4YZtxrkMTwgDrdGbaIg+IwIK\\n"
    "VFOBKJ5bHep38cAL+2rriJHKRqK99pvAv+6kAlrPX9dh9Gzv+Qc2H5LP2wyeipT7\\n"
    "AoYfLoJ5Z6l+3Ay6oQJBAOSTyRiplvJpMqlQptrL0Ur27UsL/WUXIpRbmG0kdnof\\n"
    "WEmIDos2p14YVDArGsO0vVtNfkVXPkF/tUSKJUCs8ikCQQDGQGLSlQwRCeiwi+iN\\n"
    "ltEzrTKfuqAb+8XDjASA7TBiHFJZWQ+GXe12A+PKNwtaHQr9llIjTUnPQ72Rw8qV\\n"
    "XqG7AkBqiJq0fO5Wg0NSeL2bwl0EtHu6e5cZk6PRQ7OSQulZV9ydQOWOauWszGgI\\n"
    "nz51MnsC3+ZXSSdB/dStYjmkoDapAkB2VUwnQcvYB8AaUQhYKyNn4wOKj8ytp1Rd\\n"
    "6h9uDSWKCjmlFyHLJBlvDddThhOCkD9VKfqRE7rwuhBXBzTOf5OtAkAu2wB/li97\\n"
    "/DybJjLKQgImmBEi5eVt2YEnc2H67++u+4I7gWCZAhE8gWtSBoR556goJlkOCg1r\\n"
    "ou3mGvN03wmM\\n"
    "-----END PRIVATE KEY-----\\n";
inline constexpr std::string_view kCurveKey =
    "-----BEGIN PRIVATE KEY-----\\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQghZ4/TBp4w5icm+Bg\\n"
    "zC9H4hA/gHQ2vGppeqzTQa8yZzqhRANCAASk3maxJRbBeFIlJTAW/uQbQuiUOSzw\\n"
    "1XIkds+khCwbbwhBEOHM2l9ndbDZ1jSc21QhgAimZb0VvoJHXUHOd+vt\\n"
    "-----END PRIVATE KEY-----\\n";

inline std::string service_account_json(std::string_view key = kRsaKey,
    std::string_view token_uri = "https://oauth2.googleapis.com/token")
{
    std::string out = R"({"type":"service_account","project_id":"p",)"
                      R"("private_key_id":"key-1","private_key":")";
    out.append(key).append(R"(","client_email":)");
    out.append(R"("robot@p.iam.gserviceaccount.com","token_uri":")");
    return out.append(token_uri).append(R"("})");
}

} // namespace ai_proxy::testing
