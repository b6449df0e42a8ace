#!/usr/bin/perl

# The faults when a second provider is asked beside a first one that has nothing
# to say yet, and when it would have been.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Faults;
use Test::More;

needs_module();

# Whoever waits is superseded, in whatever it is that it waits.
run_matrix(tls => 1, columns => ['hedge'], faults => [
    ['ok:full', 'timeout_connect', 'timeout_connect', { port => 'full' }],
    ['ok:handshake', 'timeout_connect', 'timeout_connect',
        { port => 'tls_stall' }],
    (map { [$_, 'timeout_first_byte', 'timeout_first_byte'] }
        qw(stall_before stall_line stall_header drip_header interim_slow)),
    ['stall_after_head', 'timeout_idle', 'timeout_idle'],
    ['stall_body', 'timeout_idle', undef],
    ['comments', undef, 'timeout_idle'],
    ['spaces', 'timeout_total', undef],
]);

# What fails at once is followed by the next, without a second try beside it,
# and what has begun is nobody else's any more.
run_matrix(columns => ['no_hedge'], faults => [
    ['ok', 'ok', 'ok'],
    ['ok:refused', 'upstream_connect', 'upstream_connect',
        { port => 'refused' }],
    ['status:400', 400, 400],
    ['status:503', 503, 503],
    ['error_200', 'upstream_error/500', 'upstream_error/500'],
    ['close_before', 'upstream_closed', 'upstream_closed'],
    ['garbage', 'upstream_invalid', 'upstream_invalid'],
    ['reset_body', 'upstream_truncated', '+upstream_truncated'],
    ['stall_body', 'timeout_idle', '+timeout_idle', 'timeout idle=5s;'],
    ['half_end', 'upstream_invalid', '+upstream_truncated'],
    ['error_late', undef, '+upstream_error'],
]);

done_testing();
