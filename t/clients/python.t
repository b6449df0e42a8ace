#!/usr/bin/perl

# The openai library for Python, unmodified.

use strict;
use warnings;

use lib 't/lib';
use SdkTest;
use Test::More;

my $python = $ENV{AI_PROXY_PYTHON};
if (!$python) {
    system('t/clients/setup.sh') == 0
        or BAIL_OUT('the Python library cannot be installed');
    $python = 'build/clients/venv/bin/python';
}
run_sdk($python, 't/clients/sdk.py');
