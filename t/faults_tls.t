#!/usr/bin/perl

# TLS that fails before, in and after the handshake.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Faults;
use Test::More;

needs_module();

my ($cut, $tls) = qw(upstream_truncated upstream_tls);
my %good = (port => 'tls_good');

run_matrix(tls => 1, faults => [
    ['ok', 'ok', 'ok', { %good }],
    (map { ["ok:$_", $tls, $tls, { port => "tls_$_" }] } qw(wrong expired self
        old none close reset)),
    (map { ["ok:$_", 'timeout_tls', 'timeout_tls', { port => "tls_$_" },
        'timeout tls=1s;'] } qw(stall half)),
    ['ok:connect', 'timeout_connect', 'timeout_connect',
        { port => 'tls_stall' }, 'timeout connect=5s;'],
    ['ok:nobody', 'upstream_connect', 'upstream_connect',
        { port => 'refused' }],
    # An end without TLS's own end may be anybody's.
    (map { [$_, $cut, "+$cut", { %good }] } qw(close_body reset_body
        half_close half_reset)),
    ['short_close', 'upstream_invalid', "+$cut", { %good }],
    ['close_before', 'upstream_closed', 'upstream_closed', { %good }],
    ['reset_before', 'upstream_closed', 'upstream_closed', { %good }],
    ['stall_before', 'timeout_first_byte', 'timeout_first_byte', { %good },
        'timeout first_byte=5s;'],
    ['stall_body', 'timeout_idle', '+timeout_idle', { %good },
        'timeout idle=5s;'],
    ['garbage', 'upstream_invalid', 'upstream_invalid', { %good }],
    ['drip', 'ok', 'ok', { %good }],
]);

done_testing();
