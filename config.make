# nginx compiles C and C++ with the same CFLAGS.  Target specific lines (GNU
# make) add what only this module's objects need; -MMD keeps the dependencies
# on headers exact.

ai_proxy_common="-std=c++20 -fvisibility=hidden -MMD -MP"

# Symbols that the compiler makes unique (coroutine_handle's no-op frame) would
# keep the module in memory when nginx closes it.
if echo 'int i;' | $CC -fno-gnu-unique -Werror -x c++ -fsyntax-only - \
    2>/dev/null
then
    ai_proxy_common="$ai_proxy_common -fno-gnu-unique"
fi

ai_proxy_strict="-Wextra -Wshadow -Wconversion"
# GCC 12 sees overlaps in std::string that are none (its bug 105651).
if [ "$NGX_CC_NAME" = gcc ]; then
    ai_proxy_strict="$ai_proxy_strict -Wno-restrict"
fi
if [ -n "$AI_PROXY_WERROR" ]; then
    ai_proxy_error=-Werror
else
    ai_proxy_error=-Wno-error
fi

for ai_proxy_src in `grep '\.cpp$' "$ngx_addon_dir/src/sources"`; do
    ai_proxy_leaf=`basename \`dirname $ai_proxy_src\``
    ai_proxy_obj=$NGX_OBJS/addon/$ai_proxy_leaf/`basename $ai_proxy_src .cpp`

    # nginx's headers do not pass the strict set.
    case $ai_proxy_src in
        core/*) ai_proxy_warn="-Wall $ai_proxy_strict $ai_proxy_error" ;;
        *)      ai_proxy_warn="-Wall $ai_proxy_error" ;;
    esac

    # The name of the target as make knows it: ccache may shorten paths.
    ai_proxy_deps="-MT $ai_proxy_obj.o"

    echo "$ai_proxy_obj.o: CFLAGS += $ai_proxy_common $ai_proxy_deps" \
        "$ai_proxy_warn"
    echo "-include $ai_proxy_obj.d"
done                                                        >> $NGX_MAKEFILE
