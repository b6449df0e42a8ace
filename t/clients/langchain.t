#!/usr/bin/perl

# LangChain's chat models, unmodified, in front of recordings.

use strict;
use warnings;

use lib 't/lib';
use SdkTest;

run_replay(python(), 't/clients/sdk_langchain.py');
