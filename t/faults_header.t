#!/usr/bin/perl

# A provider that cannot be reached, or whose answer fails before its body.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Faults;
use Test::More;

needs_module();

my $closed = 'upstream_closed';
my $invalid = 'upstream_invalid';
my $large = 'upstream_too_large';
my $first = 'timeout_first_byte';
my @wait = ('timeout first_byte=5s;');

run_matrix(columns => [qw(single fallback retry keys)], faults => [
    ['ok', 'ok', 'ok'],
    ['ok:refused', 'upstream_connect', 'upstream_connect',
        { port => 'refused' }],
    ['ok:full', 'timeout_connect', 'timeout_connect', { port => 'full' },
        'timeout connect=5s;'],
    ['close_before', $closed, $closed],
    ['reset_before', $closed, $closed],
    ['stall_before', $first, $first, @wait],
    ['stall_line', $first, $first, @wait],
    ['close_line', $closed, $closed],
    ['stall_header', $first, $first, @wait],
    ['close_header', $closed, $closed],
    ['reset_header', $closed, $closed],
    # Each byte is progress, but the whole has an end.
    ['drip_header', 'timeout_total', 'timeout_total',
        'timeout first_byte=20s total=5s;'],
    (map { [$_, $invalid, $invalid] } qw(garbage garbage_binary
        garbage_status status_zero http2 header_line header_nul
        switching lengths length_negative length_huge coding_gzip)),
    (map { [$_, $large, $large] } qw(header_big header_many header_endless
        interim_storm)),
    ['interim', 'ok', 'ok'],
    ['interim_slow', 'timeout_total', 'timeout_total',
        'timeout first_byte=20s total=5s;'],
    ['no_content', 'upstream_truncated', 'upstream_truncated'],
    ['length_both', 'ok', 'ok'],
    ['content_gzip', $invalid, $invalid],
    ['until_close', 'ok', 'ok'],
    ['http10', 'ok', 'ok'],
    ['extra', 'ok', 'ok'],
    ['drip', 'ok', 'ok'],
]);

done_testing();
