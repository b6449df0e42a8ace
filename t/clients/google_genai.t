#!/usr/bin/perl

# The google-genai library for Python, unmodified, in front of recordings.

use strict;
use warnings;

use lib 't/lib';
use SdkTest;

run_replay(python(), 't/clients/sdk_google_genai.py');
