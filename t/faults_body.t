#!/usr/bin/perl

# An answer that fails in its body: a stream that has begun ends with one error
# event and never looks complete; what has not begun is asked for elsewhere.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Faults;
use Test::More;

needs_module();

my ($cut, $invalid, $idle) = qw(upstream_truncated upstream_invalid
    timeout_idle);
my @wait = ('timeout idle=5s;');

run_matrix(columns => [qw(single fallback retry keys)], faults => [
    (map { [$_, $cut, $cut] } qw(close_after_head reset_after_head empty)),
    ['stall_after_head', $idle, $idle, @wait],
    (map { [$_, $cut, "+$cut"] } qw(close_body reset_body half_close
        half_reset)),
    ['stall_body', $idle, "+$idle", @wait],
    ['half_stall', $idle, "+$idle", @wait],
    # The framing is right, the text is not.
    ['short_close', $invalid, "+$cut"],
    ['short_end', $invalid, "+$cut"],
    ['half_end', $invalid, "+$cut"],
    (map { [$_, $invalid, "+$invalid"] } qw(chunk_size chunk_huge
        chunk_negative chunk_end)),
    # What is relayed is not read, but its end is missed.
    (map { [$_, $invalid, "+$invalid", { messages => [$invalid, "+$idle"] },
        @wait] } qw(bad_event deep)),
    ['cut_length:1', $cut, $cut],
    ['cut_length:50%', $cut, "+$cut"],
    ['cut_chunk:4', $cut, $cut],
    ['cut_chunk:50%', $cut, "+$cut"],
    ['half_json', $invalid, $cut],
    ['opening_close', undef, $cut],
    ['opening_stall', undef, $idle, @wait],
    (map { [$_, $invalid, $invalid] } qw(html null)),
    ['done_stall', $idle, 'ok', @wait],
    ['done_reset', 'ok', 'ok'],
    ['drip_chunks', 'ok', 'ok'],
    # What is no progress.
    ['comments', $idle, $idle, @wait],
    # In a plain body bytes are progress, whatever they say.
    ['comments_late', 'timeout_total', "+$idle",
        'timeout idle=5s total=9s;'],
    ['spaces', 'timeout_total', 'timeout_total', 'timeout total=5s;'],
    ['comments:token', undef, 'timeout_first_token',
        'timeout first_token=5s;'],
]);

done_testing();
