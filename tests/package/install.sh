#!/bin/sh
# Installs the package, chats through it with an nginx of its own, removes and
# purges it; the machine is left as it was found.
# usage: install.sh DIRECTORY_OF_THE_DEB

set -u

package=libnginx-mod-http-ai-proxy
link=/etc/nginx/modules-enabled/50-mod-http-ai-proxy.conf
module=/usr/lib/nginx/modules/ngx_http_ai_proxy_module.so
passed=0
failed=0

deb=$(find "$(cd "$1" && pwd)" -maxdepth 1 -name "${package}_*.deb" | head -n 1)
work=$(mktemp -d)
installed=

finish()
{
    stop_nginx
    [ -z "$installed" ] || as_root dpkg --purge "$package" >/dev/null 2>&1
    rm -rf "$work"
}
trap finish EXIT

as_root()
{
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# test_that TITLE COMMAND...
test_that()
{
    title=$1
    shift
    if "$@" >"$work/out" 2>&1; then
        echo "ok - $title"
        passed=$((passed + 1))
    else
        echo "not ok - $title"
        sed 's/^/    /' "$work/out" | tail -n 40
        failed=$((failed + 1))
        return 1
    fi
}

lintian_is_clean()
{
    lintian --no-tag-display-limit --allow-root --fail-on error "$deb"
}

depends_on()
{
    dpkg-deb -f "$deb" Depends | grep -q "$1"
}

ships_only()
{
    dpkg-deb -c "$deb" | awk '$1 !~ /^d/ { print $6 }' | grep -v \
        -e '^\./usr/lib/nginx/modules/ngx_http_ai_proxy_module\.so$' \
        -e '^\./usr/share/nginx/modules-available/mod-http-ai-proxy\.conf$' \
        -e "^\./usr/share/doc/$package/" \
        -e "^\./usr/share/lintian/overrides/$package\$" && return 1
    return 0
}

is_hardened()
{
    readelf -d "$module" | grep -q BIND_NOW
}

# Four names that nginx looks up; weak ones are templates of libraries.
exports_little()
{
    nm -D --defined-only "$module" | grep -v -e ' [WVu] ' | awk '{ print $3 }' \
        | sort >"$work/exports"
    cat "$work/exports"
    printf '%s\n' ngx_http_ai_proxy_module ngx_module_names ngx_module_order \
        ngx_modules | cmp - "$work/exports"
}

free_port()
{
    python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

write_conf()
{
    port=$(free_port)
    mkdir -p "$work/temp"
    cat >"$work/nginx.conf" <<END
include /etc/nginx/modules-enabled/*-mod-http-ai-proxy.conf;
error_log $work/error.log notice;
pid $work/nginx.pid;
events { }
http {
    access_log off;
    client_body_temp_path $work/temp/body;
    proxy_temp_path $work/temp/proxy;
    fastcgi_temp_path $work/temp/fastcgi;
    uwsgi_temp_path $work/temp/uwsgi;
    scgi_temp_path $work/temp/scgi;
    ai_proxy_zone ai 1m;
    ai_proxy_provider mock { type mock; }
    server {
        listen 127.0.0.1:$port;
        location /v1/ { ai_proxy_pass mock; }
        location = /metrics { ai_proxy_metrics; }
    }
}
END
}

stop_nginx()
{
    [ -s "$work/nginx.pid" ] || return 0
    kill -QUIT "$(cat "$work/nginx.pid")" 2>/dev/null
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        [ -s "$work/nginx.pid" ] || return 0
        sleep 0.2
    done
    return 1
}

ask()
{
    curl -sS --fail-with-body --retry 5 --retry-connrefused --max-time 20 \
        -H 'Content-Type: application/json' -d "$1" \
        "http://127.0.0.1:$port/v1/chat/completions" | tee "$work/answer"
}

chats()
{
    ask '{"model":"m","messages":[{"role":"user","content":"good morning"}]}' \
        && grep -q 'good morning' "$work/answer"
}

streams()
{
    ask '{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}' \
        && grep -q '^data: \[DONE\]' "$work/answer"
}

counts()
{
    curl -sS --max-time 20 "http://127.0.0.1:$port/metrics" \
        | grep '^ai_proxy_requests_total{'
}

reloads()
{
    before=$(pgrep -P "$(cat "$work/nginx.pid")")
    kill -HUP "$(cat "$work/nginx.pid")"
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        after=$(pgrep -P "$(cat "$work/nginx.pid")")
        [ "$before" = "$after" ] || return 0
        sleep 0.2
    done
    return 1
}

absent()
{
    for file in "$@"; do
        if [ -e "$file" ] || [ -L "$file" ]; then
            echo "$file is there"
            return 1
        fi
    done
}

log_is_quiet()
{
    ! grep -e '\[alert\]' -e '\[emerg\]' -e '\[crit\]' "$work/error.log"
}

give_up()
{
    echo "$passed passed, $failed failed"
    exit 1
}

if [ -z "$deb" ]; then
    echo "no $package in $1"
    echo "0 passed, 1 failed"
    exit 1
fi
if dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null \
    | grep -q -e '^installed' -e '^config-files'
then
    echo "$package is installed on this machine: not touching it"
    echo "0 passed, 1 failed"
    exit 1
fi

test_that "lintian finds no error" lintian_is_clean
test_that "the package depends on nginx's ABI" depends_on nginx-abi-
test_that "the package ships the module, its load line and docs" ships_only

installed=yes
test_that "installs" as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq -y -o Dpkg::Use-Pty=0 install "$deb" || give_up
test_that "is enabled by the installation" test -L "$link"
test_that "the module is hardened" is_hardened
test_that "the module exports what nginx looks up" exports_little

write_conf
test_that "nginx accepts a configuration that uses it" \
    nginx -t -c "$work/nginx.conf"
test_that "nginx starts" nginx -c "$work/nginx.conf" || give_up
test_that "answers a chat" chats
test_that "answers a streamed chat" streams
test_that "reloads" reloads
test_that "answers after the reload" chats
test_that "counts what it did, across the reload" counts
test_that "nginx stops" stop_nginx
test_that "nginx has nothing alarming to say" log_is_quiet

test_that "can be removed" as_root dpkg --remove "$package"
test_that "is disabled by that" absent "$link" "$module"
test_that "remembers that it was enabled" test -L "$link.removed"
test_that "can be purged" as_root dpkg --purge "$package"
test_that "leaves nothing" absent "$link" "$link.removed" "$module" \
    /usr/share/nginx/modules-available/mod-http-ai-proxy.conf
installed=

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
