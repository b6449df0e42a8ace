#!/usr/bin/perl

# The openai library for Python, unmodified.

use strict;
use warnings;

use lib 't/lib';
use SdkTest;

run_sdk(python(), 't/clients/sdk.py');
