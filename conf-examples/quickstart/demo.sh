# ./run demo: the quickstart with this machine's paths, port and keys.
# Sourced by run.

# shellcheck shell=sh
# shellcheck disable=SC2154 # run sets what is used here
# shellcheck disable=SC2086,SC2046,SC2013 # lists are words
# shellcheck disable=SC2016 # inner shells expand

# Environment variable, provider type, route name, model patterns: what the
# demo sets up for each key it finds.
demo_providers="
OPENAI_API_KEY openai gpt-* o1* o3* o4* chatgpt-* text-embedding-*
ANTHROPIC_API_KEY claude claude-*
GEMINI_API_KEY gemini gemini-*
DASHSCOPE_API_KEY qwen qwen* qwq*
DEEPSEEK_API_KEY deepseek deepseek-*
MOONSHOT_API_KEY moonshot moonshot-* kimi-*
ARK_API_KEY doubao doubao-*
ZHIPUAI_API_KEY zhipuai glm-*
XAI_API_KEY grok grok-*
MISTRAL_API_KEY mistral mistral-* codestral-* ministral-*
GROQ_API_KEY groq groq/*
OPENROUTER_API_KEY openrouter openrouter/*
TOGETHER_API_KEY together-ai together/*
"

demo=$build/demo
demo_port=${AI_PROXY_DEMO_PORT:-8080}

# True when $demo/logs/nginx.pid is the id of a running nginx.
demo_runs()
{
    [ -s "$demo/logs/nginx.pid" ] || return 1
    pid=$(cat "$demo/logs/nginx.pid")
    grep -q nginx "/proc/$pid/comm" 2>/dev/null
}

demo_down()
{
    if ! demo_runs; then
        say "the demo is not running"
        return 0
    fi
    say "stopping nginx (pid $pid)"
    kill -QUIT "$pid"
    turns=0
    while demo_runs; do
        turns=$((turns + 1))
        if [ "$turns" -gt 50 ]; then
            kill -TERM "$pid" 2>/dev/null || true
            break
        fi
        sleep 0.1
    done
}

# The quickstart with this machine's paths, port and providers.
demo_configure()
{
    mkdir -p "$demo/logs" "$demo/temp"
    : >"$demo/providers.conf"
    : >"$demo/env.conf"
    pass=
    echo "$demo_providers" | while read -r variable type patterns; do
        [ -n "$variable" ] || continue
        eval "value=\${$variable:-}"
        [ -n "$value" ] || continue
        echo "env $variable;" >>"$demo/env.conf"
        {
            echo "ai_proxy_provider $type {"
            echo "    type      $type;"
            echo "    api_token env:$variable;"
            case $patterns in
                */\*)
                    echo "    model_map \"~^${patterns%\*}(.*)\$\" \$1;"
                    ;;
            esac
            echo "}"
            echo "ai_proxy_route to-$type {"
            echo "    match    $patterns;"
            echo "    provider $type;"
            echo "}"
        } >>"$demo/providers.conf"
    done
    pass=$(sed -n 's/^ai_proxy_route \([^ ]*\) {$/\1/p' \
        "$demo/providers.conf" | tr '\n' ' ')

    [ "$(id -u)" -ne 0 ] || echo "user www-data;" >>"$demo/env.conf"
    {
        echo "include $demo/providers.conf;"
        for kind in client_body proxy fastcgi uwsgi scgi; do
            echo "${kind}_temp_path $demo/temp/$kind;"
        done
    } >"$demo/http.conf"

    # The example's resolver, or those of this machine.
    resolvers=$(awk '$1 == "nameserver" {
        print ($2 ~ /:/) ? "[" $2 "]" : $2
    }' /etc/resolv.conf 2>/dev/null | tr '\n' ' ')

    sed -e "s|^load_module .*|load_module $module;\ninclude $demo/env.conf;|" \
        -e "s|^http {|http {\n    include $demo/http.conf;|" \
        -e "s|resolver 127\.0\.0\.53 1\.1\.1\.1|resolver ${resolvers:-127.0.0.53}|" \
        -e "s|listen *127\.0\.0\.1:8080|listen 127.0.0.1:$demo_port|" \
        -e "s|ai_proxy_pass *mock;|ai_proxy_pass ${pass}mock;|" \
        "$root/conf-examples/quickstart/nginx.conf" >"$demo/nginx.conf"
}

demo_ask()
{
    printf "\n\$ curl %s \\\\\n    -H 'Content-Type: application/json' \\\\\n" \
        "$address"
    printf "    -d '%s'\n\n" "$1"
    curl -sS -N --max-time 60 "$address" -H 'Content-Type: application/json' \
        -d "$1" || die "no answer, see $demo/logs/error.log"
    echo
}

demo_up()
{
    need $build_packages $demo_packages
    # Without optimization there is a first answer in half the time.
    flavour=debug
    if [ -f "$build/release/ngx_http_ai_proxy_module.so" ]; then
        flavour=release
    fi
    build_module "$flavour"
    if demo_runs; then
        demo_down
    fi
    demo_configure
    say "starting nginx, configuration $demo/nginx.conf"
    nginx -p "$demo/" -c "$demo/nginx.conf" \
        || die "nginx did not start, see above or $demo/logs/error.log"

    address=http://127.0.0.1:$demo_port/v1/chat/completions
    say "a plain chat request"
    demo_ask '{"model":"mock","messages":[{"role":"user","content":"Good morning, how are you?"}]}'
    say "the same as a stream"
    demo_ask '{"model":"mock","stream":true,"messages":[{"role":"user","content":"Good morning, how are you?"}]}'

    say "nginx is running (pid $(cat "$demo/logs/nginx.pid"))"
    providers=$(sed -n 's/^ai_proxy_provider \([^ ]*\) {$/\1/p' \
        "$demo/providers.conf" | tr '\n' ' ')
    cat <<END

  base URL for any OpenAI client   http://127.0.0.1:$demo_port/v1
  providers                        ${providers}mock
  metrics                          curl http://127.0.0.1:$demo_port/metrics
  status                           curl http://127.0.0.1:$demo_port/ai/status
  access log                       build/demo/logs/access.log
  configuration                    build/demo/nginx.conf
  module                           ${module#"$root"/}
  stop                             ./run demo down

Model names choose the provider; what no provider claims goes to the mock.
Export a provider's key (OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY,
DASHSCOPE_API_KEY, DEEPSEEK_API_KEY, ...) and run ./run demo again to add it.
END
    if [ "$flavour" = debug ]; then
        echo "The module is not optimized; for speed: ./run build && ./run demo"
    fi
}

command_demo()
{
    case ${1:-up} in
        up) demo_up ;;
        down) demo_down ;;
        *) die "demo knows up and down, not \"$1\"" ;;
    esac
}
