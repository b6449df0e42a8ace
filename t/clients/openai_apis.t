#!/usr/bin/perl

# The openai library for Python, unmodified: Responses and the APIs beside
# chat, in front of recordings.

use strict;
use warnings;

use lib 't/lib';
use SdkTest;

run_replay(python(), 't/clients/sdk_openai_apis.py');
