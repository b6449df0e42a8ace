#!/usr/bin/perl

# AWS's own event stream parser (botocore's, which boto3 uses) as the judge of
# ours.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use SdkTest;
use Test::More;

my $driver = $ENV{AI_PROXY_WIRE_REPLAY}
    // 'build/cmake-debug/tests/wire_replay';
BAIL_OUT('AI_PROXY_WIRE_REPLAY names no wire_replay') unless -x $driver;
local $ENV{AI_PROXY_FIXTURES} = fixtures();
local $ENV{PYTHONPATH} = 'tests/wire';
local $ENV{PYTHONDONTWRITEBYTECODE} = 1;
take_tap(python(), 't/clients/judge_event_stream.py', $driver);
done_testing();
