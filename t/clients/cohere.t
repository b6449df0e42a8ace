#!/usr/bin/perl

# The cohere library for Python, unmodified, in front of recordings.

use strict;
use warnings;

use lib 't/lib';
use SdkTest;

run_replay(python(), 't/clients/sdk_cohere.py');
