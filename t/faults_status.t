#!/usr/bin/perl

# Errors that a provider reports: which status the client gets, and when
# another provider or another try is asked instead.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Faults;
use Test::More;

needs_module();

run_matrix(columns => [qw(single fallback retry keys)], faults => [
    (map { ["status:$_", $_, $_] } qw(400 401 402 403 404 405 408 409 413 422
        429 500 501 502 503 504 529 599)),
    (map { ["status_empty:$_", $_, $_] } qw(400 429 500)),
    ['status_html:503', 503, 503],
    ['status_endless:500', 500, 500],
    ['status_cut:503', 503, 503],
    ['status_stall:503', 503, 503, 'timeout idle=5s;'],
    ['retry_bad', 429, 429],
    # Told as what it is to us: the provider is somewhere else.
    ['redirect', 'upstream_status/502', 'upstream_status/502'],
    ['error_200', 'upstream_error/500', 'upstream_error/500'],
    ['error_first', 'upstream_error/500', 'upstream_error/500'],
    # A role alone is no answer yet: somebody else may still give one.
    ['opening_error', undef, 'upstream_error/500'],
    ['error_late', undef, '+upstream_error'],
]);

done_testing();
