#!/usr/bin/perl

# The openai library for Node, unmodified.

use strict;
use warnings;

use lib 't/lib';
use File::Copy qw(copy);
use SdkTest;
use Test::More;

my $modules = $ENV{AI_PROXY_NODE_MODULES};
if (!$modules) {
    system('t/clients/setup.sh') == 0
        or BAIL_OUT('the Node library cannot be installed');
    $modules = 'build/clients/node_modules';
}
# Node looks for an imported library beside the script: a copy goes there.
my $script = "$modules/../sdk.mjs";
copy('t/clients/sdk.mjs', $script) or die "$script: $!";
run_sdk('node', $script);
