// A provider for measurements: answers every request with the events of a
// file, one to each connection per tick, so that the gateway reads them one
// by one as it does from a real provider.
//
//   paced_provider PORT INTERVAL_US NAME=FILE...
//
// "/NAME/..." selects the file; GET /count says how many events went out.

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Script = std::vector<std::string>; // events as chunks

struct Connection {
    int fd = -1;
    std::string in;
    const Script* script = nullptr;
    size_t next = 0;
    bool closed = false;
};

std::string chunk(std::string_view text)
{
    char size[24];
    std::snprintf(size, sizeof size, "%zx\r\n", text.size());
    return std::string(size).append(text).append("\r\n");
}

Script read_script(const char* path)
{
    std::ifstream in(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    Script script;
    for (size_t at = 0; at < text.size();) {
        const size_t blank = text.find("\n\n", at);
        const size_t end = blank == std::string::npos ? text.size() : blank + 2;
        script.push_back(chunk(std::string_view(text).substr(at, end - at)));
        at = end;
    }
    if (!script.empty()) {
        script.back() += "0\r\n\r\n";
    }
    return script;
}

class Server {
public:
    Server(std::map<std::string, Script> scripts, int listener)
        : scripts_(std::move(scripts)), listener_(listener)
    {
    }

    [[noreturn]] void run(long interval_us)
    {
        poll_ = epoll_create1(0);
        timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
        itimerspec spec{};
        spec.it_value.tv_nsec = spec.it_interval.tv_nsec =
            interval_us % 1'000'000 * 1000;
        spec.it_value.tv_sec = spec.it_interval.tv_sec =
            interval_us / 1'000'000;
        timerfd_settime(timer_, 0, &spec, nullptr);
        watch(listener_);
        watch(timer_);
        for (;;) {
            epoll_event events[256];
            const int n = epoll_wait(poll_, events, 256, -1);
            for (int i = 0; i < n; ++i) {
                ready(events[i].data.fd);
            }
        }
    }

private:
    void watch(int fd) const
    {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = fd;
        epoll_ctl(poll_, EPOLL_CTL_ADD, fd, &event);
    }

    void ready(int fd)
    {
        if (fd == listener_) {
            accept_one();
        } else if (fd == timer_) {
            uint64_t ticks = 0;
            if (read(timer_, &ticks, sizeof ticks) > 0) {
                tick();
            }
        } else if (const auto found = connections_.find(fd);
                   found != connections_.end())
        {
            receive(*found->second);
            if (found->second->closed) {
                close(fd);
                connections_.erase(found);
            }
        }
    }

    void accept_one()
    {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
        if (fd < 0) {
            return;
        }
        const int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        auto connection = std::make_unique<Connection>();
        connection->fd = fd;
        connections_[fd] = std::move(connection);
        watch(fd);
    }

    void tick()
    {
        for (auto& [fd, c] : connections_) {
            if (c->script == nullptr) {
                continue;
            }
            if (!send_all(*c, (*c->script)[c->next])) {
                continue;
            }
            ++count_;
            if (++c->next == c->script->size()) {
                c->script = nullptr;
                answer(*c); // a request may be waiting
            }
        }
    }

    // A reader that is gone or too slow loses its stream.
    static bool send_all(Connection& c, std::string_view text)
    {
        if (send(c.fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) {
            c.script = nullptr;
            return false;
        }
        return true;
    }

    void receive(Connection& c)
    {
        char buffer[65536];
        const ssize_t n = recv(c.fd, buffer, sizeof buffer, 0);
        if (n <= 0) {
            c.closed = n == 0 || errno != EAGAIN;
            return;
        }
        c.in.append(buffer, static_cast<size_t>(n));
        answer(c);
    }

    void answer(Connection& c)
    {
        const size_t end = c.in.find("\r\n\r\n");
        if (c.script != nullptr || end == std::string::npos) {
            return;
        }
        std::string head = c.in.substr(0, end);
        std::transform(head.begin(), head.end(), head.begin(),
            [](unsigned char ch) { return std::tolower(ch); });
        size_t length = 0;
        if (const size_t at = head.find("content-length:");
            at != std::string::npos) {
            length = std::strtoul(head.c_str() + at + 15, nullptr, 10);
        }
        if (c.in.size() < end + 4 + length) {
            return;
        }
        const size_t slash = c.in.find('/') + 1;
        const std::string name =
            c.in.substr(slash, c.in.find_first_of("/ ", slash) - slash);
        c.in.erase(0, end + 4 + length);
        if (const auto found = scripts_.find(name); found != scripts_.end()) {
            send_all(c,
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream"
                "\r\nTransfer-Encoding: chunked\r\n\r\n");
            c.script = &found->second;
            c.next = 0;
            return;
        }
        const std::string body = std::to_string(count_);
        send_all(c,
            "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size())
                + "\r\n\r\n" + body);
    }

    std::map<std::string, Script> scripts_;
    std::map<int, std::unique_ptr<Connection>> connections_;
    int listener_, poll_ = -1, timer_ = -1;
    uint64_t count_ = 0;
};

} // namespace

int main(int argc, char** argv)
{
    if (argc < 4) {
        std::fputs(
            "usage: paced_provider PORT INTERVAL_US NAME=FILE...\n", stderr);
        return 2;
    }
    std::map<std::string, Script> scripts;
    for (int i = 3; i < argc; ++i) {
        const std::string word = argv[i];
        const size_t equals = word.find('=');
        if (equals == std::string::npos) {
            return 2;
        }
        scripts[word.substr(0, equals)] =
            read_script(word.c_str() + equals + 1);
    }
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(std::atoi(argv[1])));
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address)
            != 0
        || listen(listener, 1024) != 0)
    {
        std::perror("bind");
        return 1;
    }
    Server(std::move(scripts), listener).run(std::atol(argv[2]));
}
