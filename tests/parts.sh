# ./run test: the parts and how their results are counted.  Sourced by run.

# shellcheck shell=sh
# shellcheck disable=SC2154,SC2034 # what is used and set here is that of run
# shellcheck disable=SC2086,SC2046,SC2013 # lists are words
# shellcheck disable=SC2016 # inner shells expand

all_parts="style package unit wire t clients clang asan"

# count PASSED FAILED: what a part reports; a part may call it several times.
count()
{
    echo "$1 $2" >>"$AI_PROXY_COUNT"
}

# count_line FILE: the last "N passed, M failed" in it.
count_line()
{
    line=$(sed -n 's/.*\b\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed.*/\1 \2/p' \
        "$1" | tail -n 1)
    if [ -n "$line" ]; then
        count $line
    else
        count 0 1
    fi
}

# counted NAME COMMAND...: runs it, takes its last "N passed, M failed".
counted()
{
    log=$build/log/$1.out
    shift
    status=0
    "$@" >"$log" 2>&1 || status=$?
    cat "$log"
    count_line "$log"
    if [ "$status" -ne 0 ] && grep -q ' 0 failed' "$log"; then
        count 0 1
    fi
}

# One check is one test.
check()
{
    title=$1
    shift
    log=$build/log/check.out
    if "$@" >"$log" 2>&1; then
        echo "ok - $title"
        count 1 0
    else
        cat "$log"
        echo "not ok - $title"
        count 0 1
    fi
}

# run_ctest PROGRAM: the sum of what GoogleTest says in each of its shards.
run_ctest()
{
    log=$build/log/ctest.out
    status=0
    ctest --test-dir "$build/cmake-debug" -L "^$1\$" -j "$jobs" -V \
        --timeout 900 --no-tests=error >"$log" 2>&1 || status=$?
    grep -v -e 'RUN  *\]' -e ' OK \]' -e '\[-----' -e '^[0-9]*: *$' "$log" \
        || true
    set -- $(awk '
        / \[  PASSED  \] / { passed += $5 }
        / \[  FAILED  \] [0-9]+ tests?, listed below/ { failed += $5 }
        END { print passed + 0, failed + 0 }' "$log")
    if [ "$status" -ne 0 ] && [ "$2" -eq 0 ]; then
        set -- "$1" 1
    fi
    count "$1" "$2"
}

# run_prove PATH...: the sum of prove's own summary.
run_prove()
{
    log=$build/log/prove.out
    prove -r -j "$jobs" --timer -I t/lib "$@" </dev/null >"$log" 2>&1 || true
    cat "$log"
    count_prove "$log"
}

count_prove()
{
    set -- $(awk '
        /^Files=[0-9]+, Tests=[0-9]+/ {
            sub(/^Files=[0-9]+, Tests=/, ""); total = $0 + 0
        }
        /^Test Summary Report/ { report = 1 }
        report && /\(Wstat: .*Tests: [0-9]+ Failed: [0-9]+\)/ {
            n = $0; sub(/.*Failed: /, "", n); n += 0
            failed += n; bad = n
            if (n == 0) { broken++ }
        }
        /^Result: FAIL/ || /^FAILED--/ { result = 1 }
        /^Result: NOTESTS/ { result = 1 }
        END {
            if (result && failed + broken == 0) { broken = 1 }
            print total - failed, failed + broken
        }' "$1")
    count "$1" "$2"
}

# The module under test.  A whole run tests the objects of the package: what
# ships is what was tested, and it is compiled once.
build_tested()
{
    if [ -z "${AI_PROXY_TEST_PACKAGE:-}" ]; then
        build_module debug
        return
    fi
    objs=$(echo "$build"/deb/source/obj-*)
    module=$objs/ngx_http_ai_proxy_module.so
    [ -f "$module" ] || die "the package was not built"
}

build_debug_core()
{
    build_core "$build/cmake-debug" -DCMAKE_BUILD_TYPE=Debug \
        -DCMAKE_CXX_FLAGS_DEBUG="$debug_info" "$@"
}

# The tests link the objects that the module is made of.
build_tests()
{
    need $core_packages $build_packages
    build_tested
    build_debug_core -DAI_PROXY_OBJECTS="$objs"
}

find_program()
{
    find "$build/cmake-debug" -name "$1" -type f -perm -u+x | head -n 1
}

part_unit()
{
    build_tests
    run_ctest unit_tests
}

part_wire()
{
    need $wire_packages
    build_tests
    counted wire python3 tests/wire/run.py \
        "$(find_program wire_replay)"
}

part_t()
{
    need $build_packages $t_packages
    build_tested
    export AI_PROXY_MODULE="$module"
    run_prove t/*.t
}

part_clients()
{
    need $build_packages $t_packages $client_packages
    need_node
    build_tests
    say "installing the clients' libraries under build/"
    [ -x "$build/venv/bin/python" ] || python3 -m venv "$build/venv"
    "$build/venv/bin/pip" install -q --disable-pip-version-check \
        -r t/clients/requirements.txt
    mkdir -p "$build/node"
    cp t/clients/package.json "$build/node/"
    npm --prefix "$build/node" install --no-audit --no-fund --silent
    export AI_PROXY_MODULE="$module" \
        AI_PROXY_PYTHON="$build/venv/bin/python" \
        AI_PROXY_NODE_MODULES="$build/node/node_modules" \
        NODE_PATH="$build/node/node_modules"
    AI_PROXY_WIRE_REPLAY=$(find_program wire_replay)
    export AI_PROXY_WIRE_REPLAY
    run_prove t/clients
}

part_asan()
{
    need $core_packages $wire_packages $build_packages $t_packages
    build_module asan
    core_targets="unit_tests_sanitized wire_replay_sanitized"
    build_debug_core -DAI_PROXY_SANITIZED_OBJECTS="$objs"
    run_ctest unit_tests_sanitized
    counted wire-asan python3 tests/wire/run.py \
        "$(find_program wire_replay_sanitized)"
    export AI_PROXY_MODULE="$module" AI_PROXY_ASAN=1
    run_prove t/*.t
}

cxx_files()
{
    find src tests bench -name '*.cpp' -o -name '*.h' | sort
}

part_style()
{
    need $style_packages
    check "formatted by clang-format" \
        clang-format-14 --dry-run -Werror $(cxx_files)
    check "scripts pass shellcheck" shellcheck -x run .ci/run tests/parts.sh \
        conf-examples/quickstart/demo.sh debian/tests/chat tests/package/*.sh
    check "source text: ASCII, line counts, no machine paths" \
        python3 tests/style/source_text.py
    check "layers: includes point down" python3 tests/style/layers.py
    check "src/sources lists every file" python3 tests/style/file_list.py
    check "the coroutine lint finds what it must" \
        python3 tests/style/coroutine_lint.py --self-test
    check "coroutines keep inside their fence" \
        python3 tests/style/coroutine_lint.py src tests/unit
    check "README.md documents every directive, field and variable" \
        python3 tests/style/reference.py
}

# The glue as clang sees it: nginx's include folders, no code generation.
part_clang()
{
    need $build_packages $clang_packages
    objs=$build/debug
    [ -f "$objs/ngx_auto_config.h" ] || configure_module debug
    standard=$build/clang-standard.h
    standard_headers "$standard"
    clang++-14 -std=c++20 -x c++-header "$standard" -o "$standard.pch"
    common="-std=c++20 -fsyntax-only -include-pch $standard.pch -I$root/src"
    common="$common -Wall -Werror"
    for file in $(grep '\.cpp$' src/sources); do
        case $file in
            core/*) flags="-Wextra -Wshadow -Wconversion" ;;
            *)
                flags="-I$objs"
                for folder in core event event/modules os/unix http \
                    http/modules http/v2
                do
                    flags="$flags -I$nginx_sources/src/$folder"
                done
                ;;
        esac
        echo "clang++-14 $common $flags $root/src/$file"
    done >"$build/log/clang.commands"
    xargs -P "$jobs" -d '\n' -n 1 sh -c '$0 || echo "failed: ${0##* }"' \
        <"$build/log/clang.commands" >"$build/log/clang.out" 2>&1 || true
    cat "$build/log/clang.out"
    bad=$(grep -c '^failed: ' "$build/log/clang.out" || true)
    total=$(wc -l <"$build/log/clang.commands")
    count $((total - bad)) "$bad"
}

part_tidy()
{
    need $core_packages $clang_packages $tidy_packages
    build_core "$build/cmake-tidy" -DCMAKE_BUILD_TYPE=Debug
    for file in $(grep '^core/.*\.cpp$' src/sources); do
        check "clang-tidy $file" clang-tidy-14 --quiet \
            -p "$build/cmake-tidy" "src/$file"
    done
}

part_package()
{
    AI_PROXY_WERROR=1
    # The same code with less to say of it, in half the time.
    DEB_CFLAGS_APPEND=-g1
    export AI_PROXY_WERROR DEB_CFLAGS_APPEND
    command_package
    need $t_packages
    counted package sh tests/package/install.sh "$build/deb"
}

# failures NAME LOG: kept for the end of the run, where they are looked for.
failures()
{
    {
        echo "failed in $1:"
        grep -A 6 -E -e '^not ok|^# +Failed |^failed: |\[  FAILED  \]' \
            -e '^FAIL|: error: |\(Wstat: |^error: ' "$2" | tail -n 60
    } >>"$build/log/failures"
}

# run_part NAME: in a shell of its own, so that a fault in it ends only it.
run_part()
{
    log=$build/log/$1.log
    AI_PROXY_COUNT=$build/log/$1.count
    export AI_PROXY_COUNT
    : >"$AI_PROXY_COUNT"
    say "part $1"
    begin=$(date +%s)
    {
        status=0
        sh "$root/run" part "$1" 2>&1 </dev/null || status=$?
        [ "$status" -eq 0 ] || count 0 1
    } | tee "$log"
    set -- "$1" $(awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }' \
        "$AI_PROXY_COUNT")
    if [ "$2" -eq 0 ] && [ "$3" -eq 0 ]; then
        set -- "$1" 0 1
    fi
    passed=$((passed + $2))
    failed=$((failed + $3))
    [ "$3" -eq 0 ] || failures "$1" "$log"
    summary="$summary$(printf '%-8s %5s passed %4s failed %5s s' "$1" "$2" \
        "$3" $(($(date +%s) - begin)))
"
}

command_test()
{
    if [ $# -eq 0 ]; then
        set -- $all_parts
        AI_PROXY_TEST_PACKAGE=1
        export AI_PROXY_TEST_PACKAGE
    fi
    for part in "$@"; do
        case " $all_parts tidy " in
            *" $part "*) ;;
            *) die "unknown part \"$part\" (one of: $all_parts tidy)" ;;
        esac
    done
    mkdir -p "$build/log"
    : >"$build/log/failures"
    passed=0
    failed=0
    summary=
    for part in "$@"; do
        run_part "$part"
    done
    cat "$build/log/failures"
    printf '\n%s\n' "$summary"
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
