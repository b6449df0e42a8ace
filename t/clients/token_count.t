#!/usr/bin/perl

# The gateway's own count of tokens against the o200k tokenizer.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use File::Copy qw(copy);
use SdkTest;
use Test::More;

needs_module();

my $modules = $ENV{AI_PROXY_NODE_MODULES};
if (!$modules) {
    system('t/clients/setup.sh') == 0
        or BAIL_OUT('the Node library cannot be installed');
    $modules = 'build/clients/node_modules';
}
my $gw = Gateway->start(
    http => "ai_proxy_provider none { type openai; api_token k;\n"
        . " base_url http://127.0.0.1:1; }\n",
    server => "client_max_body_size 8m;\n"
        . "location / { ai_proxy_pass none; }\n");
my $script = "$modules/../token_count.mjs";
copy('t/clients/token_count.mjs', $script) or die "$script: $!";
local $ENV{GATEWAY} = $gw->url;
local $ENV{AI_PROXY_FIXTURES} = fixtures();
take_tap('node', $script);
done($gw);
